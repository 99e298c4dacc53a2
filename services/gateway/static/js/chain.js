// The whole chain of one event, from the wallet's trade to the fill, in a drawer.

import { ApiError, ask } from "./api.js";
import { byId, emptyState, h } from "./dom.js";
import { duration, eventTime, fact, shortId } from "./format.js";
import { reasonList } from "./reasons.js";

export function setUp() {
  const dialog = byId("chain-dialog");
  byId("chain-close").addEventListener("click", () => dialog.close());
  // A click on what is behind closes it.
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

export async function showChain(id) {
  const steps = byId("chain-steps");
  byId("chain-note").textContent = "";
  steps.replaceChildren(emptyState("Loading the chain", "Reading the event store."));
  if (!byId("chain-dialog").open) byId("chain-dialog").showModal();
  try {
    const chain = await ask(`/api/why/${encodeURIComponent(id)}`);
    const took = chain.steps.reduce((sum, step) => sum + BigInt(step.after_ns), 0n);
    byId("chain-note").textContent =
      `${chain.steps.length} steps in ${duration(took)} on the log, each caused by one before it. `
      + `Chain ${chain.correlation}.`
      + (chain.is_cut ? " It is longer: this is its beginning." : "");
    const told = new Set();
    steps.replaceChildren(...chain.steps.map((one, at) => step(one, at, told)));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    steps.replaceChildren(emptyState("The chain cannot be shown", error.message));
  }
}

/** One step. What an earlier one said already (`told`) is not said again. */
function step(one, at, told) {
  const facts = one.facts.filter((item) => !told.has(`${item.label}=${item.value}`)
    && !(item.label === "outcome" && one.type === "DecisionMade"));
  for (const item of one.facts) told.add(`${item.label}=${item.value}`);
  const failed = one.reasons.some((reason) => !reason.passed);
  return h("li", { class: `step${failed ? " failed" : ""}`, data: { type: one.type } },
    h("div", { class: "step-head" },
      h("h3", { text: one.title }),
      h("span", { class: "muted", text: at ? `+${duration(one.after_ns)}` : "start" })),
    h("p", { class: "muted small",
      text: `${one.agent}${one.topic ? ` → ${one.topic}` : ""} · ${eventTime(one.event_time_ns)}` }),
    facts.length ? h("dl", { class: "facts" }, ...facts.flatMap((item) => [
      h("dt", { text: item.label }),
      h("dd", { text: item.kind === "id" ? shortId(item.value) : fact(item), title: item.value }),
    ])) : null,
    one.reasons.length ? h("details", { open: failed },
      h("summary", { text: `${one.reasons.length} ${one.reasons.length === 1 ? "rule" : "rules"}` }),
      reasonList(one.reasons)) : null);
}
