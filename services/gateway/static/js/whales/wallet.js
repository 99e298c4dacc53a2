// One wallet: score, curve, calibration, components, markets, and why it is in or out.

import { profitChart } from "../chart.js";
import { byId, emptyState, h, s, setText, table } from "../dom.js";
import {
  count, eventTime, isoTime, measured, percent, price, shortEventTime, shortId, usd,
} from "../format.js";
import { reasonList } from "../reasons.js";
import { amount, ifScored, pill } from "./board.js";

const SIZE = 260;
const EDGE = 34;
const FACTORS = {
  size: "Size: stake a market", profitability: "Profitability: shrunk edge",
  impact: "Impact: price after its trade", liquidity: "Liquidity: traded in its markets",
  risk_control: "Risk control: profit over deepest fall",
};
let chart;
let drawn = "";

export function wallet(page) {
  // What did not change is left as it is: nothing jumps under a reader's hand.
  const print = JSON.stringify(page);
  if (print === drawn) return;
  drawn = print;
  const one = page.whale;
  setText(byId("who"), one.wallet);
  byId("verdict").replaceChildren(pill(one), ` ${one.stage}`
    + (one.stage_cause ? `: ${one.stage_cause}` : ""));
  byId("pin").disabled = one.ruling === "pinned";
  byId("ban").disabled = one.ruling === "banned";
  byId("clear").disabled = !one.ruling;
  byId("tiles").replaceChildren(...tiles(one));
  byId("why").replaceChildren(reasonList(one.reasons));
  chart ??= profitChart(byId("curve"), byId("curve-text"));
  chart.draw(page.equity.map((point) => ({
    ...point, realized_after_fees_micro: point.profit_micro,
  })));
  byId("calibration").replaceChildren(calibration(page.calibration));
  parts(page);
  markets(page);
  turns(page.turns);
}

function tiles(one) {
  const tile = (name, value, note) => h("div", { class: "tile" }, h("h2", { text: name }),
    h("p", { class: "value", text: value }), h("p", { class: "note", text: note }));
  return [
    tile("Edge a share", ifScored(one, price(one.edge_micro, { sign: true })),
      ifScored(one, `${price(one.edge_lower_micro, { sign: true })} to ${
        price(one.edge_upper_micro, { sign: true })}`)),
    tile("Confidence", ifScored(one, percent(one.confidence_micro)), "that the edge is above zero"),
    tile("Luck", ifScored(one, percent(one.luck_micro)),
      `limit ${percent(one.luck_limit_micro)}, ${count(one.wallets_tried)} wallets tried`),
    tile("Profit", usd(one.profit_micro, { sign: true }),
      `after ${usd(one.fees_micro)} of fees; deepest fall ${usd(one.drawdown_micro)}`),
    tile("Markets", `${one.markets_won}/${count(one.markets)}`,
      `won; ${count(one.markets_inferred)} more prove nothing`),
    tile("Capital", one.is_whale ? percent(one.share_micro) : "none",
      `open ${usd(one.open_value_micro)} at mark, ${usd(one.open_cost_micro)} at cost`),
  ];
}

/** Price across, share won upwards; the numbers stand in the table below. */
function calibration(bins) {
  if (!bins.length) return emptyState("No bet counts yet", "Each settled market adds one.");
  const at = (value) => EDGE + value * (SIZE - EDGE - 10);
  const up = (value) => SIZE - EDGE - value * (SIZE - EDGE - 10);
  const svg = s("svg", { class: "calibration", viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img",
    "aria-label": "Share of bets won by price" });
  for (const tick of [0, 0.5, 1]) {
    svg.append(
      s("line", { class: "grid", x1: at(0), x2: at(1), y1: up(tick), y2: up(tick) }),
      s("text", { class: "tick", x: at(0) - 6, y: up(tick) + 4, "text-anchor": "end" }, `${
        tick * 100}%`),
      s("text", { class: "tick", x: at(tick), y: SIZE - 14, "text-anchor": ["start", "middle", "end"][tick * 2] }, `$${
        tick.toFixed(2)}`));
  }
  svg.append(s("line", { class: "fair", x1: at(0), y1: up(0), x2: at(1), y2: up(1) }));
  for (const one of bins) {
    svg.append(
      s("line", { class: "span", x1: at(one.cost), x2: at(one.cost), y1: up(one.lower),
        y2: up(one.upper) }),
      s("circle", { class: "point", cx: at(one.cost), cy: up(one.won),
        r: Math.min(9, 3 + Math.sqrt(one.count) / 2) }));
  }
  const rows = h("div", {});
  table(rows, {
    label: "Calibration", items: bins, keyOf: (one) => String(one.cost), isNarrow: true,
    empty: ["", ""],
    columns: [
      { head: "Cost", row: true, class: "num", cell: (one) => `$${one.cost.toFixed(2)}` },
      { head: "Bets", class: "num", cell: (one) => count(one.count) },
      { head: "Won", class: "num", cell: (one) => `${Math.round(one.won * 100)} %` },
      { head: "95 % interval", class: "num",
        cell: (one) => `${Math.round(one.lower * 100)} to ${Math.round(one.upper * 100)} %` },
    ],
  });
  return h("div", { class: "calibration-box" }, svg, rows);
}

function parts(page) {
  const one = page.whale;
  setText(byId("parts-count"), one.quality_rank
    ? `quality ${percent(one.quality_micro)}, place ${one.quality_rank}` : "");
  if (!page.parts.length) {
    byId("parts").replaceChildren(emptyState("Not ranked yet", "The next full round ranks it."));
    return;
  }
  byId("parts").replaceChildren(h("ul", { class: "bars" }, ...page.parts.map((part) => {
    const bar = h("i", {});
    bar.style.width = `${Number(part.quantile_micro) / 10_000}%`;
    return h("li", {}, h("span", { class: "bar-name" }, FACTORS[part.name] ?? part.name,
      h("small", { class: "muted", text: part.is_known
        ? ` better than ${percent(part.quantile_micro)}, weighs ${percent(part.weight_micro)}`
        : " not known" })),
    h("b", { class: "num", text: part.is_known ? measured(part.value, part.unit) : "–" }),
    h("span", { class: "bar-line", "aria-hidden": "true" }, bar));
  })));
}

function markets(page) {
  setText(byId("markets-count"), page.markets_count > page.markets.length
    ? `last ${page.markets.length} of ${count(page.markets_count)}` : count(page.markets_count));
  table(byId("markets"), {
    label: "Settled markets", items: page.markets, keyOf: (one) => one.condition_id,
    empty: ["None has settled", "Only settled markets count."],
    columns: [
      { head: "Market", row: true, class: "wide", cell: (one) => [
        h("span", { class: "question", text: one.question || shortId(one.condition_id) }),
        h("small", { class: "muted", text: one.is_inferred
          ? "result known from a redemption only: not scored"
          : one.is_whole ? "" : "shares left that were never seen to arrive" })] },
      { head: "Settled", class: "num", cell: (one) => h("time", {
        datetime: isoTime(one.at_ns), text: shortEventTime(one.at_ns) }) },
      { head: "Cost", class: "num",
        cell: (one) => (one.weight_micro === "0" ? "–" : price(one.cost_micro)) },
      { head: "Paid", class: "num",
        cell: (one) => (one.weight_micro === "0" ? "–" : price(one.payoff_micro)) },
      { head: "Profit", class: "num", cell: (one) => amount(one.profit_micro) },
    ],
  });
}

function turns(items) {
  table(byId("turns"), {
    label: "Its life", items, keyOf: (one) => one.at_ns,
    empty: ["Nothing has changed", "It has been emerging since it was first scored."],
    columns: [
      { head: "When", row: true, cell: (one) => h("time", {
        datetime: isoTime(one.at_ns), text: eventTime(one.at_ns) }) },
      { head: "Stage", cell: (one) => one.stage },
      { head: "Copied", cell: (one) => (one.is_whale ? "yes" : "no") },
      { head: "Why", cell: (one) => one.cause },
    ],
  });
}
