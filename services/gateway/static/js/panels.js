// The tables: positions, orders, whales, profit by whale, rejections, agents, latency and the rest.

import { showChain } from "./chain.js";
import { byId, emptyState, h, keyed, setText, table } from "./dom.js";
import {
  count, isoTime, micros, price, ruleName, shares, shortEventTime, shortId, tone, usd,
  wallClock, wallTime,
} from "./format.js";
import { failedLine, reasonList } from "./reasons.js";

const SILENT_NS = 60_000_000_000n;

const amount = (micro, { sign = true } = {}) =>
  h("span", { class: `amount ${sign ? tone(micro) : ""}`, text: usd(micro, { sign }) });
const wallet = (address) =>
  (address ? h("code", { class: "id", text: shortId(address), title: address })
    : h("span", { class: "muted", text: "own" }));
const market = (item) => [
  h("span", { class: "question", text: item.question || shortId(item.condition_id),
    title: item.question }),
  h("small", { class: "muted", text: item.token_name || shortId(item.token_id) }),
];

export function positions(items) {
  setText(byId("positions-count"), items.length ? `${items.length} open` : "");
  table(byId("positions"), {
    label: "Open positions", items,
    keyOf: (one) => `${one.token_id}/${one.leader}`,
    empty: ["Nothing is held", "A position appears here with the first fill."],
    columns: [
      { head: "Market", row: true, class: "wide", cell: market },
      { head: "Whale", cell: (one) => wallet(one.leader) },
      { head: "Shares", class: "num", cell: (one) => shares(one.size_micro) },
      { head: "Cost", class: "num", cell: (one) => usd(one.cost_micro) },
      { head: "Last price", class: "num",
        cell: (one) => (one.mark_micro === "0" ? "none yet" : price(one.mark_micro)) },
      { head: "Value", class: "num", cell: (one) => usd(one.value_micro) },
      { head: "Profit", class: "num", cell: (one) => amount(one.profit_micro) },
    ],
  });
}

const ORDER_MARKS = {
  announced: "…", accepted: "•", unknown: "?", filled: "✓", cancelled: "–", expired: "–",
  rejected: "✕", failed: "✕",
};

export function orders(items) {
  const open = items.filter((one) => one.closed_ns === "0").length;
  setText(byId("orders-count"), items.length ? `latest ${items.length}, ${open} open` : "");
  table(byId("orders"), {
    label: "Latest orders", items, keyOf: (one) => one.order_id,
    empty: ["No order yet", "Orders follow approvals; both are in the decisions."],
    columns: [
      { head: "Market", row: true, class: "wide", cell: market },
      { head: "Status", cell: orderStatus },
      { head: "Side", cell: (one) => (one.side === "sell" ? "Sell" : "Buy") },
      { head: "Price", class: "num", cell: (one) => price(one.price_micro) },
      { head: "Filled", class: "num",
        cell: (one) => `${shares(one.filled_micro)} of ${shares(one.size_micro)}` },
      { head: "Fee", class: "num", cell: (one) => usd(one.fee_micro) },
      { head: "When", class: "num", cell: (one) => h("time", {
        datetime: isoTime(one.announced_ns), text: shortEventTime(one.announced_ns) }) },
      { head: "Why", class: "act", cell: (one) => whyButton(one.order_id, "this order") },
    ],
  });
}

function orderStatus(one) {
  const provisional = BigInt(one.provisional_micro) > 0n ? " · not settled" : "";
  const failed = one.reasons.find((reason) => !reason.passed);
  return h("span", { class: `status ${one.status}`, title: failed ? failedLine(failed) : undefined },
    h("span", { "aria-hidden": "true", text: `${ORDER_MARKS[one.status] ?? "·"} ` }),
    `${one.status}${provisional}`);
}

const whyButton = (id, what) => h("button", {
  type: "button", class: "link-button", text: "Why", "aria-label": `Why ${what}`,
  data: { focus: "why" }, on: { click: () => showChain(id) },
});

export function whales(items) {
  const found = items.filter((one) => one.is_whale).length;
  setText(byId("whales-count"), items.length ? `${found} of ${items.length} scored` : "");
  if (!items.length) {
    byId("whales").replaceChildren(emptyState("No wallet is scored yet",
      "Wallets are scored once enough of their markets have settled."));
    return;
  }
  let list = byId("whales").querySelector("ul");
  if (!list) byId("whales").replaceChildren(list = h("ul", {
    class: "whales", tabindex: 0, "aria-label": "Wallets, best first",
  }));
  const bounds = items.flatMap((one) => [one.edge_lower_micro, one.edge_upper_micro]).map(Number);
  const low = Math.min(0, ...bounds);
  const high = Math.max(1, ...bounds);
  const shown = items.slice(0, 25).map((one) => ({ ...one, low, high }));
  keyed(list, shown, (one) => one.wallet, whaleRow);
}

function whaleRow(one, before) {
  const wasOpen = before?.querySelector("details")?.open ?? false;
  return h("li", { class: one.is_whale ? "whale" : "whale not" },
    h("div", { class: "whale-head" },
      h("span", { class: "whale-who" }, wallet(one.wallet),
        h("span", { class: `pill ${one.is_whale ? "yes" : "no"}`,
          text: one.is_whale ? "copied" : one.pruned_ns !== "0" ? "dropped" : "not copied" })),
      interval(one),
      h("span", { class: "whale-edge num" },
        h("b", { class: tone(BigInt(one.edge_micro) * 100n),
          text: price(one.edge_micro, { sign: true }) }),
        h("small", { class: "muted",
          text: `${price(one.edge_lower_micro, { sign: true })} to ${
            price(one.edge_upper_micro, { sign: true })}` })),
      h("span", { class: "whale-fact num" }, h("b", { text: count(one.trades) }),
        h("small", { class: "muted", text: "trades" })),
      h("span", { class: "whale-fact num" }, h("b", { text: `${one.markets_won}/${one.markets}` }),
        h("small", { class: "muted", text: "markets won" })),
      h("span", { class: "whale-fact num" }, amount(one.copied_profit_micro),
        h("small", { class: "muted", text: "our profit" }))),
    h("details", { open: wasOpen },
      h("summary", { data: { focus: "why" },
        text: one.is_whale ? "Why it is copied" : "Why it is not copied" }),
      one.reasons.length ? reasonList(one.reasons)
        : h("p", { class: "muted", text: "It never met the rules for a whale." })));
}

/** The edge and its interval as a line on a common scale; the numbers stand beside it. */
function interval(one) {
  const at = (value) => ((Number(value) - one.low) / (one.high - one.low)) * 100;
  const bar = h("i", { class: "range" });
  bar.style.left = `${at(one.edge_lower_micro)}%`;
  bar.style.width = `${at(one.edge_upper_micro) - at(one.edge_lower_micro)}%`;
  const dot = h("i", { class: "dot" });
  dot.style.left = `${at(one.edge_micro)}%`;
  const zero = h("i", { class: "zero" });
  zero.style.left = `${at(0)}%`;
  return h("span", { class: "interval", "aria-hidden": "true" }, zero, bar, dot);
}

export function leaders(items) {
  table(byId("leaders"), {
    label: "Profit by whale", items, keyOf: (one) => one.leader,
    empty: ["Nothing is realised yet", "Profit is realised when markets settle."],
    columns: [
      { head: "Whale", row: true, cell: (one) => wallet(one.leader) },
      { head: "Markets", class: "num", cell: (one) => count(one.markets) },
      { head: "Profit", class: "num", cell: (one) => amount(one.profit_micro) },
      { head: "95 % interval", class: "num", cell: (one) => (one.lower_micro === null
        ? h("span", { class: "muted", text: "one market only" })
        : [h("span", { class: "nowrap", text: `${usd(one.lower_micro, { sign: true })} to` }), " ",
          h("span", { class: "nowrap", text: usd(one.upper_micro, { sign: true }) })]) },
    ],
  });
}

export function rejections(items) {
  const total = items.reduce((sum, one) => sum + one.count, 0);
  setText(byId("rejections-count"), total ? count(total) : "");
  if (!items.length) {
    byId("rejections").replaceChildren(emptyState("Nothing was rejected", "Each refusal is "
      + "counted here under the rule that failed first."));
    return;
  }
  let list = byId("rejections").querySelector("ul");
  if (!list) byId("rejections").replaceChildren(list = h("ul", { class: "bars" }));
  const most = Math.max(...items.map((one) => one.count));
  keyed(list, items.map((one) => ({ ...one, most })),
    (one) => `${one.refused_by}/${one.rule}`, (one) => {
      const bar = h("i", {});
      bar.style.width = `${(one.count / one.most) * 100}%`;
      return h("li", {}, h("span", { class: "bar-name" }, ruleName(one.rule),
        h("small", { class: "muted", text: ` ${one.refused_by}` })),
      h("b", { class: "num", text: count(one.count) }),
      h("span", { class: "bar-line", "aria-hidden": "true" }, bar));
    });
}

export function agents(items) {
  const newest = items.reduce((a, one) => (BigInt(one.last_ns) > a ? BigInt(one.last_ns) : a), 0n);
  table(byId("agents"), {
    label: "Agents", isNarrow: true, keyOf: (one) => one.agent,
    items: items.map((one) => ({ ...one, isSilent: newest - BigInt(one.last_ns) > SILENT_NS })),
    empty: ["No agent was heard of", "Each appears with its first commit."],
    columns: [
      { head: "Agent", row: true, cell: (one) => one.agent },
      { head: "State", cell: agentState },
      { head: "Inputs", class: "num", cell: (one) => count(one.inputs) },
      { head: "Heard", class: "num", cell: (one) => h("time", {
        datetime: isoTime(one.last_ns), title: wallTime(one.last_ns), text: wallClock(one.last_ns) }) },
    ],
  });
}

function agentState(one) {
  const circuits = one.open_circuits.join(", ");
  const text = one.isSilent && one.status === "running" ? "quiet" : one.status;
  const isGood = !circuits && ["running", "standby", "working"].includes(one.status);
  return h("span", { class: `health ${isGood ? "good" : "bad"}` },
    h("span", { "aria-hidden": "true", text: isGood ? "● " : "▲ " }), text,
    circuits ? h("small", { text: `circuit open: ${circuits}` }) : null,
    one.pending_effects ? h("small", { class: "muted",
      text: `${one.pending_effects} under way` }) : null);
}

export function latency(all) {
  // A timer's time is not how long something took, but how long it was to wait.
  const items = all.filter((one) => one.cause !== "TimerFired" && one.effect !== "TimerFired");
  table(byId("latency"), {
    label: "Latency by hop", isNarrow: true, items: items.slice(0, 12),
    keyOf: (one) => `${one.cause}>${one.effect}`,
    empty: ["Nothing was measured yet", "Each step of a chain is timed by the log."],
    columns: [
      { head: "From, to", row: true, class: "wide", cell: (one) => [
        h("span", { text: words(one.cause) }), h("small", { class: "muted",
          text: ` → ${words(one.effect)}` })] },
      { head: "Median", class: "num", cell: (one) => micros(one.p50_us) },
      { head: "99 %", class: "num", cell: (one) => micros(one.p99_us) },
      { head: "Times", class: "num", cell: (one) => count(one.count) },
    ],
  });
}

const words = (type) => type.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();

const ALERT_KINDS = { anomaly: "Unusual trading", derisk: "Position to be reduced" };

export function alerts(items) {
  setText(byId("alerts-count"), items.length ? `latest ${items.length}` : "");
  if (!items.length) {
    byId("alerts").replaceChildren(emptyState("No alert", "Limits, halts and unusual markets "
      + "are told here."));
    return;
  }
  let list = byId("alerts").querySelector("ul");
  if (!list) byId("alerts").replaceChildren(list = h("ul", { class: "lines", tabindex: 0, "aria-label": "Latest first" }));
  keyed(list, items.slice(0, 30), (one) => one.id, (one) => {
    const failed = one.reasons.find((reason) => !reason.passed);
    return h("li", {}, h("span", { class: `pill ${one.severity}`, text: one.severity || one.kind }),
      h("span", { class: "grow" }, h("b", { text: ALERT_KINDS[one.kind] ?? ruleName(one.rule) }),
        one.question ? h("span", { class: "question", text: one.question }) : null,
        failed && failed.unit !== "unspecified"
          ? h("small", { class: "muted", text: failedLine(failed) }) : null,
        one.kind !== "risk" && one.reasons.length
          ? h("details", {}, h("summary", { text: "Why" }), reasonList(one.reasons)) : null),
      h("time", { class: "muted small", datetime: isoTime(one.event_time_ns),
        text: shortEventTime(one.event_time_ns) }));
  });
}

export function deadLetters(items) {
  setText(byId("dead-count"), items.length ? count(items.length) : "");
  if (!items.length) {
    byId("dead").replaceChildren(emptyState("Everything could be read",
      "What cannot be read or handled is kept here with its bytes."));
    return;
  }
  let list = byId("dead").querySelector("ul");
  if (!list) byId("dead").replaceChildren(list = h("ul", { class: "lines", tabindex: 0, "aria-label": "Latest first" }));
  keyed(list, items.slice(0, 12), (one) => one.id, (one) => h("li", {},
    h("span", { class: "pill warning", text: one.agent }),
    h("span", { class: "grow" }, h("b", { text: one.error }),
      h("small", { class: "muted",
        text: `${one.topic} partition ${one.partition}, offset ${one.offset}, ${one.bytes} bytes` })),
    h("time", { class: "muted small", datetime: isoTime(one.log_time_ns),
      text: wallTime(one.log_time_ns) })));
}
