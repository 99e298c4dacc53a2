// Pin, ban, clear: a dialog before every ruling, and one key for one intention.

import { ApiError, ask } from "../api.js";
import { byId, setText } from "../dom.js";

const OPERATOR = "whaletrader.operator";
const RULINGS = {
  pin: ["Pin this wallet", "It is copied whatever its score, until someone clears it."],
  ban: ["Ban this wallet", "It is not copied any more, whatever its score."],
  clear: ["Clear the ruling", "Its score decides again."],
};
const view = { ruling: "", key: "" };

export function setUp(address, done) {
  for (const ruling of Object.keys(RULINGS)) {
    byId(ruling).addEventListener("click", () => open(ruling));
  }
  byId("rule-cancel").addEventListener("click", () => byId("rule-dialog").close());
  byId("rule-form").addEventListener("submit", (event) => send(event, address, done));
}

function open(ruling) {
  view.ruling = ruling;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  view.key = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const [title, what] = RULINGS[ruling];
  setText(byId("rule-h"), title);
  setText(byId("rule-what"), what);
  setText(byId("rule-problem"), "");
  byId("rule-note").value = "";
  byId("rule-operator").value = localStorage.getItem(OPERATOR) ?? "";
  byId("rule-dialog").showModal();
}

async function send(event, address, done) {
  event.preventDefault();
  const operator = byId("rule-operator").value.trim();
  if (!operator) return setText(byId("rule-problem"), "Say who you are.");
  localStorage.setItem(OPERATOR, operator);
  byId("rule-send").disabled = true;
  try {
    await ask(`/api/whales/${address}/${view.ruling}`, {
      method: "POST",
      headers: { "idempotency-key": view.key },
      body: { operator, note: byId("rule-note").value.trim() },
    });
    byId("rule-dialog").close();
    byId("notice").hidden = false;
    setText(byId("notice"), "The ruling is on the log; discovery answers in a moment.");
    setTimeout(done, 1_500);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    setText(byId("rule-problem"), error.message);
  } finally {
    byId("rule-send").disabled = false;
  }
  return undefined;
}
