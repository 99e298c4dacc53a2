// The header and the big numbers: mode, time, tape, link, and what the portfolio is worth.

import { byId, setText } from "./dom.js";
import { count, eventTime, isoTime, tone, usd } from "./format.js";

const MODES = {
  demo: ["Demo", "Simulated time"], paper: ["Paper", "Market time"], live: ["Live", "Market time"],
};
const AMOUNTS = {
  profit: "profit_micro",
  realised: "realized_after_fees_micro",
  open: "open_profit_micro",
  cash: "cash_micro",
  exposure: "exposure_micro",
};
const SIGNED = new Set(["profit", "realised", "open"]);

const view = { asOfNs: "0", progress: null, events: [] };

export function summary(data) {
  view.asOfNs = data.as_of_ns;
  const isValued = data.as_of_ns !== "0";
  for (const tile of document.querySelectorAll(".tile")) delete tile.dataset.loading;
  setText(byId("n-held"), count(data.open_positions));
  for (const [name, field] of Object.entries(AMOUNTS)) {
    const node = byId(`n-${name}`);
    if (!isValued) setText(node, "–");
    else setText(node, usd(data[field], { sign: SIGNED.has(name) }));
    if (SIGNED.has(name)) node.className = `value ${isValued ? tone(data[field]) : "flat"}`;
  }
  setText(byId("note-profit"), isValued ? `Fees paid ${usd(data.fees_micro)}` : "No fill yet");
  setText(byId("note-held"), `${count(data.open_orders)} open ${
    data.open_orders === 1 ? "order" : "orders"}`);
  view.events.push([performance.now(), Number(data.events)]);
  if (view.events.length > 12) view.events.shift();
  renderTape();
}

export function progress(data) {
  view.progress = data;
  const [name, label] = MODES[data.mode] ?? [data.mode, "Time"];
  setText(byId("mode"), name);
  byId("mode").dataset.mode = data.mode;
  setText(byId("tape-label"), label);
  renderTape();
}

function renderTape() {
  const data = view.progress;
  if (!data) return;
  const nowNs = data.now_ns !== "0" ? data.now_ns : view.asOfNs;
  const time = byId("tape-now");
  setText(time, nowNs === "0" ? "not started" : eventTime(nowNs));
  if (nowNs !== "0") time.setAttribute("datetime", isoTime(nowNs));
  const percent = data.windows ? Math.floor((data.window / data.windows) * 100) : 0;
  byId("tape").classList.toggle("no-tape", !data.windows);
  byId("tape-bar").setAttribute("aria-valuenow", String(percent));
  byId("tape-bar").firstElementChild.style.width = `${percent}%`;
  const speed = rate();
  const parts = [];
  if (data.windows) parts.push(percent >= 100 ? "tape played" : `${percent} %`);
  if (data.windows) parts.push(`${count(data.trades)} trades`);
  if (view.events.length) parts.push(`${count(view.events.at(-1)[1])} events`);
  if (speed > 0) parts.push(`${count(speed)}/s`);
  setText(byId("tape-note"), parts.join(" · ") || "Waiting for the first event");
}

function rate() {
  if (view.events.length < 2) return 0;
  const [first, last] = [view.events[0], view.events.at(-1)];
  const seconds = (last[0] - first[0]) / 1000;
  return seconds > 0.5 ? Math.max(0, Math.round((last[1] - first[1]) / seconds)) : 0;
}

export function link(state, push) {
  byId("link").dataset.state = state;
  setText(byId("link-text"), state === "live" ? (push ? "Live" : "Live, polling") : "Reconnecting");
}
