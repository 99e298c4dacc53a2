// The feed of decisions: what was decided, by which rule, and the way to the whole chain.

import { ApiError, ask } from "./api.js";
import { showChain } from "./chain.js";
import { byId, emptyState, h, keyed, setText } from "./dom.js";
import { count, isoTime, price, shares, shortEventTime, shortId } from "./format.js";
import { failedLine, reasonList } from "./reasons.js";

const KEPT_MAX = 400;
// A feed that stands for hours does not gather everything: the API has the rest.
const WAITING_MAX = 2_000;
const LIVE_MAX = 60;
const OUTCOMES = {
  approved: ["Approved", "✓"],
  rejected: ["Rejected", "✕"],
  declined: ["Declined", "✕"],
  unanswered: ["No answer", "?"],
  proposed: ["Proposed", "…"],
};
const FILTERS = [
  ["", "All"], ["approved", "Approved"], ["rejected", "Rejected"], ["declined", "Declined"],
];

const view = {
  all: new Map(), open: new Set(), filter: "", older: 0, next: null, isReady: false,
  // The feed stands still while it is paused, pointed at, or read; `standing` is what it shows.
  isPaused: false, isPointedAt: false, isFocused: false, standing: null,
};

export function setUp() {
  byId("decision-filter").replaceChildren(...FILTERS.map(([outcome, name]) =>
    h("button", {
      type: "button", class: "chip", "aria-pressed": String(outcome === view.filter), text: name,
      data: { outcome },
      on: { click: () => choose(outcome) },
    })));
  byId("decisions-more").addEventListener("click", loadOlder);
  byId("decisions-follow").addEventListener("click", () => {
    const follows = isStanding();
    view.isPaused = !follows;
    if (follows) view.open.clear();
    render();
  });
  const feed = byId("decisions");
  const notice = (name, value) => () => { view[name] = value; render(); };
  feed.addEventListener("mouseenter", notice("isPointedAt", true));
  feed.addEventListener("mouseleave", notice("isPointedAt", false));
  feed.addEventListener("focusin", notice("isFocused", true));
  feed.addEventListener("focusout", notice("isFocused", false));
  render();
}

/** Nobody can read or hit what moves away: new decisions wait while someone is at the feed. */
const isStanding = () =>
  view.isPaused || view.isPointedAt || view.isFocused || view.open.size > 0;

/** Take a snapshot, or {fresh: [...]}. */
export function update(section) {
  view.isReady = true;
  if (Array.isArray(section)) {
    view.all.clear();
    view.older = 0;
    view.next = null;
  }
  for (const one of Array.isArray(section) ? section : section.fresh) view.all.set(one.id, one);
  if (view.all.size > WAITING_MAX + KEPT_MAX) forgetWaiting();
  render();
}

function forgetWaiting() {
  const waiting = [...view.all.keys()].filter((id) => !view.standing?.has(id));
  for (const id of waiting.slice(0, waiting.length - WAITING_MAX)) view.all.delete(id);
}

function choose(outcome) {
  view.filter = outcome;
  view.next = null;
  view.standing = null;
  for (const chip of byId("decision-filter").children) {
    chip.setAttribute("aria-pressed", String(chip.dataset.outcome === outcome));
  }
  render();
  // What was pushed may hold none of these.
  if (outcome && shown().length < 10) loadOlder();
}

function shown() {
  const wanted = [...view.all.values()]
    .filter((one) => !view.filter || one.outcome === view.filter);
  wanted.sort((a, b) => compare(b.event_time_ns, a.event_time_ns)
    || compare(b.log_time_ns, a.log_time_ns) || (a.id < b.id ? 1 : -1));
  return wanted;
}

function compare(a, b) {
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function render() {
  const list = shown();
  if (!isStanding()) view.standing = null;
  else view.standing ??= new Set(list.map((one) => one.id));
  const still = view.standing ? list.filter((one) => view.standing.has(one.id)) : list;
  const seen = still.slice(0, LIVE_MAX + view.older);
  if (!view.standing) for (const one of list.slice(KEPT_MAX)) view.all.delete(one.id);
  keyed(byId("decisions"), seen, (one) => one.id, card);
  for (const node of byId("decisions").querySelectorAll('[aria-expanded="true"]')) {
    const isOpen = view.open.has(node.closest(".card").dataset.key);
    if (!isOpen) fold(node);
  }
  follow(list.length - still.length);
  const empty = byId("decisions-empty");
  empty.hidden = seen.length > 0;
  if (!seen.length) empty.replaceChildren(emptyState(...nothing()));
  byId("decisions-more").hidden = !seen.length || view.next === "";
}

function fold(head) {
  head.setAttribute("aria-expanded", "false");
  byId(head.getAttribute("aria-controls")).hidden = true;
}

function follow(waiting) {
  const button = byId("decisions-follow");
  const stands = view.isPaused || view.open.size > 0 || waiting > 0;
  button.setAttribute("aria-pressed", String(stands));
  setText(button, stands ? `Follow${waiting ? ` · ${count(waiting)} new` : ""}` : "Pause");
}

function nothing() {
  if (!view.isReady) return ["Loading decisions", "They come as soon as the store answers."];
  if (view.filter) return ["None of these yet", "Other decisions are under All."];
  return ["No decision yet", "The first comes when a whale trades. It will say why, either way."];
}

function card(decision) {
  const [name, mark] = OUTCOMES[decision.outcome] ?? [decision.outcome, "·"];
  const isOpen = view.open.has(decision.id);
  const bodyId = `d-${decision.id}`;
  const failed = decision.reasons.find((one) => !one.passed);
  const button = h("button", {
    type: "button", class: "card-head", "aria-expanded": String(isOpen), "aria-controls": bodyId,
    data: { focus: "head" },
  },
  h("span", { class: `outcome ${decision.outcome}` },
    h("span", { "aria-hidden": "true", text: mark }), ` ${name}`),
  h("time", { class: "muted", datetime: isoTime(decision.event_time_ns),
    text: shortEventTime(decision.event_time_ns) }),
  h("span", { class: "what", text: what(decision) }),
  h("span", { class: "question", text: decision.question || shortId(decision.condition_id) }),
  h("span", { class: "why", text: because(decision, failed) }));
  const body = h("div", { class: "card-body", id: bodyId, hidden: !isOpen });
  if (isOpen) body.append(...inside(decision));
  button.addEventListener("click", () => {
    const opens = body.hidden;
    body.hidden = !opens;
    button.setAttribute("aria-expanded", String(opens));
    if (opens) view.open.add(decision.id);
    else view.open.delete(decision.id);
    if (opens) body.replaceChildren(...inside(decision));
    render();
  });
  return h("li", { class: "card", data: { outcome: decision.outcome } }, button, body);
}

function inside(decision) {
  return [
    reasonList(decision.reasons),
    h("dl", { class: "facts" },
      ...pair("Whale", decision.leader || "our own strategy"),
      ...pair("Believed worth", price(decision.fair_value_micro)),
      ...(decision.order_id ? pair("Order", `${shortId(decision.order_id)} · ${
        decision.order_status}`) : [])),
    h("button", {
      type: "button", class: "button quiet wide", data: { focus: "chain" },
      text: "Show the whole chain", on: { click: () => showChain(decision.id) },
    }),
  ];
}

const pair = (term, value) => [h("dt", { text: term }), h("dd", { text: value, title: value })];

function what(decision) {
  const side = { buy: "Buy", sell: "Sell" }[decision.side] ?? "Trade";
  const size = BigInt(decision.approved_size_micro) ? decision.approved_size_micro
    : decision.max_size_micro;
  const bound = decision.side === "sell" ? "at no less than" : "at up to";
  return `${side} ${shares(size)} ${decision.token_name || "shares"} ${bound} ${
    price(decision.limit_price_micro)}`;
}

function because(decision, failed) {
  if (failed) return failedLine(failed);
  const who = decision.leader ? `Copies ${shortId(decision.leader)}` : decision.strategy;
  const rules = decision.reasons.length;
  return `${who} · ${rules} ${rules === 1 ? "rule" : "rules"} passed${
    decision.order_status ? ` · order ${decision.order_status}` : ""}`;
}

async function loadOlder() {
  const button = byId("decisions-more");
  const list = shown();
  const last = list.at(-1);
  const query = new URLSearchParams({ limit: "40" });
  const outcomes = view.filter ? [view.filter] : Object.keys(OUTCOMES).filter(
    (one) => one !== "proposed");
  for (const outcome of outcomes) query.append("outcome", outcome);
  if (view.next) query.set("before", view.next);
  else if (last) query.set("before", `${last.event_time_ns}.${last.log_time_ns}.${last.id}`);
  button.disabled = true;
  try {
    const page = await ask(`/api/decisions?${query}`);
    for (const one of page.decisions) {
      view.all.set(one.id, one);
      view.standing?.add(one.id);
    }
    view.older += page.decisions.length;
    view.next = page.next;
    button.textContent = "Older decisions";
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    button.textContent = `${error.message} Try again`;
  } finally {
    button.disabled = false;
    render();
  }
}
