// Boots the risk page: asks how the desk stands while it is looked at, and shows the answer.

import { ApiError, ask, token } from "../api.js";
import { byId, emptyState, h, keyed, setText } from "../dom.js";
import { count, eventTime, isoTime, isFlag, measured, percent, price, ruleName, shares, shortEventTime,
  shortId, usd } from "../format.js";
import { failedLine, reasonList } from "../reasons.js";
import * as check from "./check.js";
import * as resume from "./resume.js";

const ASK_MS = 1_500;
const KINDS = [
  ["market-limit", "Markets"], ["leader-limit", "Whales"], ["topic-limit", "Topics"],
  ["strategy-limit", "Strategies"], ["category-limit", "Categories"],
];
const TITLES = {
  normal: "Trading is on", reduce: "Sizes are cut down", pause: "Paused", halt: "Halted",
  deleverage: "Deleveraging", flatten: "Flattening", unspecified: "The state is not known",
};
const KINDS_SAID = { approved: "✓ Approved", refused: "✕ Refused", mandate: "✓ Mandate",
  batch: "✓ Batch" };

const view = { desk: null, kind: "market-limit", timer: 0, open: new Set() };

async function look() {
  clearTimeout(view.timer);
  try {
    show(await ask("/api/risk"));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) return askForToken();
    link("connecting", "Reconnecting");
    notice(`${error.message} What you see is the last that was known.`);
  }
  if (!document.hidden) view.timer = setTimeout(look, ASK_MS);
  return undefined;
}

function show(desk) {
  view.desk = desk;
  link(desk.is_live ? "live" : "connecting", desk.is_live ? "Live" : "Risk does not answer");
  notice(desk.note ? `${desk.note[0].toUpperCase()}${desk.note.slice(1)}.` : "");
  setText(byId("now"), desk.now_ns === "0" ? "never" : eventTime(desk.now_ns));
  if (desk.now_ns !== "0") byId("now").setAttribute("datetime", isoTime(desk.now_ns));
  banner(desk);
  numbers(desk);
  uses(byId("limits"), desk.limits, true);
  setText(byId("limits-count"), desk.limits.length ? `${count(desk.limits.length)} limits` : "");
  exposures();
  verdicts(desk.verdicts);
  setText(byId("policy"), desk.policy_digest
    ? `Policy ${shortId(desk.policy_digest)}${desk.pending_digest
      ? `; ${shortId(desk.pending_digest)} waits to be confirmed` : ""}` : "No policy in force");
}

function banner(desk) {
  const isKnown = desk.is_live && desk.state !== "unspecified";
  byId("banner").dataset.state = isKnown ? desk.state : "unspecified";
  const title = TITLES[desk.state] ?? desk.state;
  setText(byId("state-title"), isKnown ? title
    : desk.now_ns === "0" ? "The state is not known" : `Last known: ${title}`);
  const since = desk.since_ns === "0" ? "" : `, since ${eventTime(desk.since_ns)}`;
  const cut = desk.state === "reduce" ? `; buys are cut down to ${percent(desk.size_micro_ratio)}`
    : "";
  let cause = desk.cause ? `Cause: ${ruleName(desk.cause).toLowerCase()}${since}${cut}.` : "";
  if (desk.is_live && !desk.is_open) cause = "No policy is in force: nothing is approved.";
  setText(byId("state-cause"), cause
    || (desk.state === "normal" ? "Every limit is held against every trade." : ""));
  const until = desk.until_ns === "0" ? "" : ` (${eventTime(desk.until_ns)})`;
  setText(byId("state-exit"), desk.exit_condition ? `Ends when: ${desk.exit_condition}${until}.` : "");
  const canResume = desk.is_live && ["pause", "halt", "deleverage", "flatten"].includes(desk.state);
  byId("resume").hidden = !canResume;
}

function numbers(desk) {
  const tiles = [
    ["Equity", usd(desk.equity_micro), `Highest ${usd(desk.high_water_micro)}`],
    ["Drawdown", percent(desk.drawdown_micro_ratio), "Below the highest"],
    ["Exposure", usd(desk.exposure_micro), `${usd(desk.reserved_micro)} set aside, diversification ${
      percent(desk.diversification_micro_ratio)}`],
    ["CVaR 97.5 %", usd(desk.cvar_975_micro), `VaR 99 % ${usd(desk.var_99_micro)}`],
    ["Modified VaR", usd(desk.modified_var_99_micro), "A day, 99 %"],
    ["Worst case", usd(desk.worst_case_micro), `Phase ${desk.phase}, ${
      percent(desk.phase_micro_ratio)} of the capital`],
  ];
  keyed(byId("numbers"), tiles, ([name]) => name, ([name, value, note]) =>
    h("div", { class: name === "Equity" ? "tile profit" : "tile" }, h("h2", { text: name }),
      h("p", { class: "value", text: value }), h("p", { class: "note", text: note })));
}

function uses(list, items, isLimit) {
  keyed(list, items, (one) => `${one.rule}/${isLimit ? "" : one.key}`, (one) => {
    const used = Number(BigInt(one.used_micro_ratio)) / 1e6;
    const bar = h("i", {});
    bar.style.width = `${Math.min(100, Math.max(0, used * 100))}%`;
    const key = one.name || (one.key.length > 40 ? shortId(one.key) : one.key);
    const tone = used >= 1 ? "full" : used >= 0.8 ? "near" : "";
    return h("li", { class: tone, data: { rule: one.rule } },
      h("span", { class: "what" }, isLimit ? ruleName(one.rule) : key || "None",
        isLimit && key ? h("small", { text: key, title: one.key }) : null),
      h("span", { class: "of" }, h("b", { class: "share", text: percent(one.used_micro_ratio) }),
        h("small", { text: `${measured(one.value, one.unit)} of ${measured(one.limit, one.unit)}` })),
      h("span", { class: "bar-line", role: "meter", "aria-label": ruleName(one.rule),
        "aria-valuemin": "0", "aria-valuemax": "100",
        "aria-valuenow": String(Math.round(Math.min(used, 1) * 100)) }, bar));
  });
}

function exposures() {
  const items = (view.desk?.exposures ?? []).filter((one) => one.rule === view.kind);
  const list = byId("exposures");
  if (items.length) {
    list.querySelector(".empty")?.remove();
    uses(list, items, false);
  } else {
    list.replaceChildren(h("li", { class: "empty", data: { key: "empty" } },
      emptyState("Nothing here", view.desk?.is_live === false
        ? "Exposures are told by risk itself." : "Nothing is held and nothing is set aside.")));
  }
  const left = view.desk?.exposures_left_out ?? 0;
  setText(byId("exposures-left"), left ? `${count(left)} smaller ones are not shown.` : "");
}

function verdicts(items) {
  setText(byId("verdicts-count"), items.length ? `${count(items.length)} shown` : "");
  if (!items.length) {
    byId("verdicts").replaceChildren(h("li", { data: { key: "empty" } },
      emptyState("No verdict yet", "The first comes when something is proposed.")));
    return;
  }
  keyed(byId("verdicts"), items, (one) => one.id, (one) => {
    const failed = one.reasons.find((reason) => !reason.passed);
    const node = h("details", { class: one.kind, open: view.open.has(one.id) },
      h("summary", {},
        h("span", { class: one.kind === "refused" ? "outcome rejected" : "outcome approved",
          text: KINDS_SAID[one.kind] }),
        h("time", { datetime: isoTime(one.at_ns), text: shortEventTime(one.at_ns) }),
        one.kind === "approved" ? h("b", { class: "question", text: `${one.side === "sell" ? "Sell"
          : "Buy"} ${shares(one.size_micro)} shares at ${price(one.price_micro)}` }) : null,
        h("span", { class: "question",
          text: one.question || (one.condition_id ? shortId(one.condition_id) : "") }),
        h("span", { class: "why", text: failed ? failedLine(failed)
          : one.rule || `${count(one.reasons.filter((r) => !isFlag(r)).length)} limits held` })),
      reasonList(one.reasons));
    node.addEventListener("toggle", () => {
      if (node.open) view.open.add(one.id); else view.open.delete(one.id);
    });
    return h("li", {}, node);
  });
}

function link(state, text) {
  byId("link").dataset.state = state;
  setText(byId("link-text"), text);
}

function notice(text) {
  byId("notice").hidden = !text;
  setText(byId("notice"), text);
}

function askForToken() {
  link("connecting", "Token needed");
  setText(byId("token-problem"), token.get() ? "That is not the token." : "");
  if (!byId("token-dialog").open) byId("token-dialog").showModal();
}

byId("exposure-kinds").replaceChildren(...KINDS.map(([kind, name]) =>
  h("button", { type: "button", class: "chip", "aria-pressed": String(kind === view.kind),
    text: name, data: { kind }, on: { click: () => {
      view.kind = kind;
      for (const chip of byId("exposure-kinds").children) {
        chip.setAttribute("aria-pressed", String(chip.dataset.kind === kind));
      }
      exposures();
    } } })));
byId("token-dialog").addEventListener("cancel", (event) => event.preventDefault());
byId("token-form").addEventListener("submit", () => {
  token.set(byId("token").value);
  byId("token").value = "";
  look();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
check.setUp();
resume.setUp(() => view.desk, look);
look();
