// Boots the dashboard: one socket in, each section of what it says to the part that shows it.

import { live, token } from "./api.js";
import * as chain from "./chain.js";
import { profitChart } from "./chart.js";
import * as controls from "./controls.js";
import * as decisions from "./decisions.js";
import { byId, setText } from "./dom.js";
import * as header from "./header.js";
import * as panels from "./panels.js";

const TABLES = {
  positions: panels.positions,
  orders: panels.orders,
  whales: panels.whales,
  leaders: panels.leaders,
  rejections: panels.rejections,
  agents: panels.agents,
  latency: panels.latency,
  alerts: panels.alerts,
  dead_letters: panels.deadLetters,
};
const NOTICES = {
  empty: "The recorder has not prepared the store yet: numbers appear as soon as it has.",
  away: "The store does not answer. What you see is the last that was known; it will catch up.",
};

const chart = profitChart(byId("curve"), byId("curve-text"));
const state = { curve: [], link: "connecting", push: true };

const SECTIONS = {
  ...TABLES,
  summary(data) { header.summary(data); controls.updateSummary(data); },
  progress: header.progress,
  control: controls.update,
  decisions: decisions.update,
  curve(data) {
    if (Array.isArray(data)) state.curve = data;
    else {
      const since = BigInt(data.since_ns);
      const known = state.curve.filter((one) => BigInt(one.at_ns) < since);
      state.curve = [...known, ...data.points];
    }
    byId("curve").dataset.points = String(state.curve.length);
    byId("curve").dataset.last = state.curve.at(-1)?.profit_micro ?? "";
    chart.draw(state.curve);
  },
  status(data) {
    state.push = data.push;
    const notice = byId("notice");
    notice.hidden = !(data.store in NOTICES);
    setText(notice, NOTICES[data.store] ?? "");
    header.link(state.link, state.push);
  },
};

function take(message) {
  for (const [name, data] of Object.entries(message.sections)) SECTIONS[name]?.(data);
}

decisions.setUp();
controls.setUp();
chain.setUp();

const socket = live({
  message: take,
  state(now) {
    state.link = now;
    header.link(now, state.push);
  },
  refused() {
    setText(byId("token-problem"), token.get() ? "That is not the token." : "");
    if (!byId("token-dialog").open) byId("token-dialog").showModal();
  },
});
byId("token-dialog").addEventListener("cancel", (event) => event.preventDefault());
byId("token-form").addEventListener("submit", () => {
  token.set(byId("token").value);
  byId("token").value = "";
  socket.again();
});
