// Halt, resume, flatten: the state that the log tells, and a dialog before every order.

import { ApiError, ask } from "./api.js";
import { byId, setText } from "./dom.js";
import { eventTime, wallTime } from "./format.js";

const OPERATOR = "whaletrader.operator";
const FLATTEN_WORDS = "sell everything";
const ORDERS = {
  halt: {
    title: "Halt trading",
    what: "From now on no new order leaves. Cancels still do. It lasts until someone resumes, "
      + "also over restarts.",
    send: "Halt trading", style: "button danger",
  },
  resume: {
    title: "Resume trading",
    what: "New orders may leave again, as far as risk approves them.",
    send: "Resume trading", style: "button primary",
  },
  flatten: {
    title: "Flatten the portfolio",
    what: "Halts, cancels what rests, and sells everything that is held at what the market pays. "
      + "It cannot be undone.",
    send: "Sell everything", style: "button danger",
  },
};

const view = { action: "", key: "", control: null, riskStoppedNs: "0" };

export function setUp() {
  for (const action of Object.keys(ORDERS)) {
    byId(action).addEventListener("click", () => open(action));
  }
  byId("order-cancel").addEventListener("click", () => byId("order-dialog").close());
  byId("order-form").addEventListener("submit", send);
}

export function update(control) {
  view.control = control;
  render();
}

export function updateSummary(summary) {
  view.riskStoppedNs = summary.risk_stopped_ns;
  render();
}

function render() {
  const { control } = view;
  if (!control) return;
  const [state, title, detail] = words(control);
  byId("control").dataset.state = state;
  setText(byId("control-title"), title);
  setText(byId("control-detail"), detail);
  byId("halt").disabled = control.state !== "trading" && control.is_current;
  byId("resume").disabled = control.state === "trading" && view.riskStoppedNs === "0"
    && control.is_current;
}

function words(control) {
  const by = control.operator ? `by ${control.operator} at ${wallTime(control.ordered_ns)}` : "";
  const note = control.note ? ` Reason given: ${control.note}` : "";
  const doubt = control.is_current ? "" : " (The log cannot be read now; this is its last word.)";
  if (control.state === "halted") {
    return ["halted", `Halted ${by}`, `No new order leaves; cancels do.${note}${doubt}`];
  }
  if (control.state === "flattened") {
    return ["halted", `Flattened ${by}`,
      `Everything is being sold; nothing is bought.${note}${doubt}`];
  }
  if (view.riskStoppedNs !== "0") {
    return ["halted", "Stopped by risk",
      `The day's loss reached its limit on ${eventTime(view.riskStoppedNs)}; nothing is bought.`];
  }
  if (!control.is_current) {
    return ["unknown", "It is not known whether trading is on", "The log cannot be read now."];
  }
  return ["trading", "Trading is on",
    by ? `Resumed ${by}.${note}` : "Every order needs an approval by risk."];
}

function open(action) {
  const order = ORDERS[action];
  view.action = action;
  // One key for one intention: pressing send again repeats the order, it does not give another.
  view.key = newKey();
  setText(byId("order-h"), order.title);
  setText(byId("order-what"), order.what);
  setText(byId("order-words"), FLATTEN_WORDS);
  setText(byId("order-problem"), "");
  byId("order-send").textContent = order.send;
  byId("order-send").className = order.style;
  byId("order-send").disabled = false;
  byId("order-note").value = "";
  byId("order-confirm").value = "";
  byId("order-confirm").required = action === "flatten";
  byId("order-confirm-label").hidden = action !== "flatten";
  byId("order-operator").value = localStorage.getItem(OPERATOR) ?? "";
  byId("order-dialog").showModal();
  const needsName = !byId("order-operator").value;
  (needsName ? byId("order-operator") : action === "flatten" ? byId("order-confirm")
    : byId("order-send")).focus();
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function send(event) {
  event.preventDefault();
  const operator = byId("order-operator").value.trim();
  const words = byId("order-confirm").value.trim().toLowerCase();
  if (!operator) return setText(byId("order-problem"), "Say who you are.");
  if (view.action === "flatten" && words !== FLATTEN_WORDS) {
    return setText(byId("order-problem"), `Type “${FLATTEN_WORDS}” to confirm.`);
  }
  localStorage.setItem(OPERATOR, operator);
  byId("order-send").disabled = true;
  setText(byId("order-problem"), "");
  try {
    const given = await ask(`/api/control/${view.action}`, {
      method: "POST",
      headers: { "idempotency-key": view.key },
      body: {
        operator, note: byId("order-note").value.trim(),
        ...(view.action === "flatten" ? { confirmation: words } : {}),
      },
    });
    update(given.control);
    byId("order-dialog").close();
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
