// Resuming on purpose: a dialog with the cause, a name and a reason; then the order, once.

import { ApiError, ask } from "../api.js";
import { byId, setText } from "../dom.js";
import { ruleName } from "../format.js";

const OPERATOR = "whaletrader.operator";
const view = { key: "" };

/** `desk` gives the last answer of risk; `after` looks again. */
export function setUp(desk, after) {
  byId("resume").addEventListener("click", () => open(desk()));
  byId("order-cancel").addEventListener("click", () => byId("order-dialog").close());
  byId("order-form").addEventListener("submit", (event) => send(event, after));
}

function open(desk) {
  // One key for one intention: pressing send again repeats the order, it does not give another.
  view.key = [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const cause = desk?.cause ? `It was stopped by: ${ruleName(desk.cause).toLowerCase()}. ` : "";
  setText(byId("order-what"), `${cause}Buying goes on as far as the limits allow; the drawdown is `
    + "counted from here.");
  setText(byId("order-problem"), "");
  byId("order-operator").value = localStorage.getItem(OPERATOR) ?? "";
  byId("order-note").value = "";
  byId("order-dialog").showModal();
}

async function send(event, after) {
  event.preventDefault();
  const operator = byId("order-operator").value.trim();
  if (!operator) return setText(byId("order-problem"), "Say who you are.");
  localStorage.setItem(OPERATOR, operator);
  byId("order-send").disabled = true;
  setText(byId("order-problem"), "");
  try {
    await ask("/api/control/resume", {
      method: "POST",
      headers: { "idempotency-key": view.key },
      body: { operator, note: byId("order-note").value.trim() },
    });
    byId("order-dialog").close();
    after();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const again = error.status === 503 || error.status === 0
      ? " Send again: it will not be ordered twice." : "";
    setText(byId("order-problem"), error.message + again);
  } finally {
    byId("order-send").disabled = false;
  }
  return undefined;
}
