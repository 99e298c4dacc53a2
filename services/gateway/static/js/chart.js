// The profit curve: an SVG with axes, a crosshair for pointer and keyboard, and words for ears.

import { emptyState, h, s, setText } from "./dom.js";
import { axisUsd, eventDay, eventHour, eventTime, usd } from "./format.js";

const HEIGHT = 280;
const EDGE = { top: 14, right: 14, bottom: 30, left: 66 };
const POINTS_MAX = 700;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STEPS_MS = [
  HOUR_MS / 60, HOUR_MS / 12, HOUR_MS / 4, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS,
  DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 14 * DAY_MS, 28 * DAY_MS, 91 * DAY_MS,
];

/** Make the chart in `parent`; returns {draw(points)}. Points: {at_ns, profit_micro, ...}. */
export function profitChart(parent, textNode) {
  const svg = s("svg", {
    class: "chart", height: HEIGHT, width: "100%", role: "img", tabindex: 0,
    "aria-label": "Profit after fees over time. Arrow keys move along the curve.",
    "aria-describedby": textNode.id,
  });
  const tip = h("div", { class: "tip", hidden: true, role: "status" });
  const empty = h("div", { class: "over" },
    emptyState("Loading the curve", "It is drawn as soon as the store answers."));
  parent.replaceChildren(svg, tip, empty);
  const view = { points: [], cursor: -1, frame: 0, parent, svg, tip, empty, textNode };

  const redraw = () => {
    if (view.frame) return;
    view.frame = requestAnimationFrame(() => { view.frame = 0; paint(view); });
  };
  new ResizeObserver(redraw).observe(parent);
  svg.addEventListener("pointermove", (event) => point(view, event));
  svg.addEventListener("pointerdown", (event) => point(view, event));
  svg.addEventListener("pointerleave", () => { view.cursor = -1; showCursor(view); });
  svg.addEventListener("blur", () => { view.cursor = -1; showCursor(view); });
  svg.addEventListener("keydown", (event) => step(view, event));
  return {
    draw(points) {
      view.points = thinned(points).map((one) => ({
        ms: Number(BigInt(one.at_ns) / 1_000_000n),
        ns: one.at_ns,
        total: Number(BigInt(one.profit_micro)) / 1e6,
        realised: Number(BigInt(one.realized_after_fees_micro)) / 1e6,
        raw: one,
      }));
      if (view.points.length < 2) {
        empty.replaceChildren(
          emptyState("No profit or loss yet", "The curve begins with the first fill."));
      }
      if (view.cursor >= view.points.length) view.cursor = -1;
      describe(view);
      redraw();
    },
  };
}

function thinned(points) {
  if (points.length <= POINTS_MAX) return points;
  const stride = Math.ceil(points.length / POINTS_MAX);
  return points.filter((_, at) => at % stride === 0 || at === points.length - 1);
}

function scales(view) {
  const width = view.parent.clientWidth || 600;
  const left = width < 480 ? 54 : EDGE.left;
  const values = view.points.flatMap((one) => [one.total, one.realised]);
  let low = Math.min(0, ...values);
  let high = Math.max(0, ...values);
  if (high - low < 1) { high += 0.5; low -= 0.5; }
  const step = niceStep((high - low) / 4);
  low = Math.floor(low / step) * step;
  high = Math.ceil(high / step) * step;
  const first = view.points[0].ms;
  const last = view.points.at(-1).ms;
  const span = Math.max(1, last - first);
  return {
    width, left, low, high, step, first, last,
    x: (ms) => left + ((ms - first) / span) * (width - left - EDGE.right),
    y: (value) =>
      EDGE.top + ((high - value) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom),
  };
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough);
}

function paint(view) {
  const { svg, points, empty } = view;
  empty.hidden = points.length > 1;
  svg.classList.toggle("bare", points.length < 2);
  if (points.length < 2) { svg.replaceChildren(); return; }
  const at = (view.scale = scales(view));
  svg.setAttribute("viewBox", `0 0 ${at.width} ${HEIGHT}`);
  const line = (pick) => points.map((one, index) =>
    `${index ? "L" : "M"}${at.x(one.ms).toFixed(1)} ${at.y(pick(one)).toFixed(1)}`).join("");
  const total = line((one) => one.total);
  const zero = at.y(0).toFixed(1);
  const isLoss = points.at(-1).total < 0;
  const end = points.at(-1);
  svg.replaceChildren(
    ...axes(at),
    s("path", {
      class: `area ${isLoss ? "loss" : "gain"}`,
      d: `${total}L${at.x(end.ms).toFixed(1)} ${zero}L${at.x(points[0].ms).toFixed(1)} ${zero}Z`,
    }),
    s("path", { class: "line realised", d: line((one) => one.realised) }),
    s("path", { class: `line total ${isLoss ? "loss" : "gain"}`, d: total }),
    s("circle", {
      class: `end ${isLoss ? "loss" : "gain"}`, cx: at.x(end.ms), cy: at.y(end.total), r: 4,
    }),
    s("g", { class: "cursor", hidden: true },
      s("line", { y1: EDGE.top, y2: HEIGHT - EDGE.bottom }), s("circle", { r: 5 })),
  );
  showCursor(view);
}

function axes(at) {
  const nodes = [];
  for (let value = at.low; value <= at.high + at.step / 2; value += at.step) {
    const y = at.y(value).toFixed(1);
    const isZero = Math.abs(value) < at.step / 1e6;
    nodes.push(
      s("line", {
        class: isZero ? "grid zero" : "grid", x1: at.left, x2: at.width - EDGE.right, y1: y, y2: y,
      }),
      s("text", {
        class: "tick", x: at.left - 8, y, "text-anchor": "end", "dominant-baseline": "middle",
        text: axisUsd(isZero ? 0 : value, at.step),
      }));
  }
  for (const ms of timeTicks(at)) {
    const isMidnight = ms % DAY_MS === 0;
    nodes.push(s("text", {
      class: "tick", x: at.x(ms).toFixed(1), y: HEIGHT - 9, "text-anchor": "middle",
      text: isMidnight ? eventDay(ms) : eventHour(ms),
    }));
  }
  return nodes;
}

/** Round moments in UTC, few enough to be read; none so near the edge that it is cut. */
function timeTicks(at) {
  const room = Math.max(2, Math.floor((at.width - at.left) / 110));
  const span = at.last - at.first;
  const step = STEPS_MS.find((one) => span / one <= room) ?? Math.ceil(span / room / DAY_MS) * DAY_MS;
  const ticks = [];
  for (let ms = Math.ceil(at.first / step) * step; ms <= at.last; ms += step) {
    if (at.x(ms) > at.left + 12 && at.x(ms) < at.width - EDGE.right - 12) ticks.push(ms);
  }
  return ticks;
}

function point(view, event) {
  if (view.points.length < 2 || !view.scale) return;
  const box = view.svg.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * view.scale.width;
  let best = 0;
  for (let at = 1; at < view.points.length; at += 1) {
    const isNearer = Math.abs(view.scale.x(view.points[at].ms) - x)
      < Math.abs(view.scale.x(view.points[best].ms) - x);
    if (isNearer) best = at;
  }
  view.cursor = best;
  showCursor(view);
}

function step(view, event) {
  const last = view.points.length - 1;
  if (last < 1) return;
  const from = view.cursor < 0 ? last : view.cursor;
  const stride = Math.max(1, Math.round(last / 40));
  const moves = {
    ArrowLeft: from - stride, ArrowRight: from + stride, Home: 0, End: last, Escape: -1,
  };
  if (!(event.key in moves)) return;
  event.preventDefault();
  view.cursor = event.key === "Escape" ? -1 : Math.max(0, Math.min(last, moves[event.key]));
  showCursor(view);
}

function showCursor(view) {
  const group = view.svg.querySelector(".cursor");
  const one = view.points[view.cursor];
  view.tip.hidden = !one || !group;
  if (!group) return;
  group.toggleAttribute("hidden", !one);
  if (!one) return;
  const x = view.scale.x(one.ms);
  const y = view.scale.y(one.total);
  const [line, dot] = group.children;
  line.setAttribute("x1", x);
  line.setAttribute("x2", x);
  dot.setAttribute("cx", x);
  dot.setAttribute("cy", y);
  view.tip.replaceChildren(
    h("strong", { text: usd(one.raw.profit_micro, { sign: true }) }),
    h("span", { text: `Realised ${usd(one.raw.realized_after_fees_micro, { sign: true })}` }),
    h("span", { text: eventTime(one.ns) }));
  const wide = view.tip.offsetWidth;
  view.tip.style.left = `${Math.max(4, Math.min(view.scale.width - wide - 4, x - wide / 2))}px`;
  view.tip.style.top = `${Math.max(0, y - view.tip.offsetHeight - 14)}px`;
}

/** The curve in words, for those who do not see it. */
function describe(view) {
  const { points, textNode } = view;
  if (points.length < 2) return setText(textNode, "There is no profit or loss yet.");
  const most = points.reduce((a, b) => (b.total > a.total ? b : a));
  const least = points.reduce((a, b) => (b.total < a.total ? b : a));
  const say = (one) => `${usd(one.raw.profit_micro, { sign: true })} on ${eventTime(one.ns)}`;
  return setText(textNode,
    `From ${eventTime(points[0].ns)}: now ${say(points.at(-1))}, highest ${say(most)}, `
    + `lowest ${say(least)}.`);
}
