// Reasons: each rule with its value, its limit and whether it passed, in words and not by colour.

import { h } from "./dom.js";
import { isFlag, measured, ruleName } from "./format.js";

/** One line for the rule that said no. */
export function failedLine(reason) {
  if (isFlag(reason)) return [ruleName(reason.rule), reason.detail].filter(Boolean).join(": ");
  return `${ruleName(reason.rule)}: ${measured(reason.value, reason.unit)}, `
    + `limit ${measured(reason.limit, reason.unit)}`;
}

/** All reasons, grouped by the agent that held them. */
export function reasonList(reasons) {
  if (!reasons.length) return h("p", { class: "muted", text: "No rule was recorded with this." });
  const groups = new Map();
  for (const reason of reasons) {
    if (!groups.has(reason.by)) groups.set(reason.by, []);
    groups.get(reason.by).push(reason);
  }
  return h("div", { class: "reasons" }, ...[...groups].map(([by, held]) => group(by, held)));
}

function group(by, held) {
  const failed = held.filter((one) => !one.passed).length;
  const verdict = failed ? `${failed} of ${held.length} failed` : `all ${held.length} passed`;
  return h("section", { class: "reason-group" },
    h("h4", {}, h("span", { text: by || "Rules" }), h("span", { class: "muted", text: verdict })),
    h("ul", {}, ...held.map(item)));
}

function item(reason) {
  const flag = isFlag(reason);
  const numbers = flag ? (reason.passed ? "passed" : "failed")
    : `${measured(reason.value, reason.unit)}`;
  return h("li", { class: reason.passed ? "passed" : "failed" },
    h("span", { class: "mark", "aria-hidden": "true", text: reason.passed ? "✓" : "✕" }),
    h("span", { class: "rule" }, h("span", { text: ruleName(reason.rule), title: reason.rule }),
      reason.detail ? h("small", { class: "detail", text: reason.detail, title: reason.detail })
        : null),
    h("span", { class: "held" }, h("b", { text: numbers }),
      flag ? null : h("small", { text: `limit ${measured(reason.limit, reason.unit)}` })),
    flag ? null : h("span", { class: "sr", text: reason.passed ? "passed" : "failed" }));
}
