// The what-if form: what risk would say to a trade that somebody thinks of, rule by rule.

import { ApiError, ask } from "../api.js";
import { byId, h, setText } from "../dom.js";
import { price, ruleName, shares, usd } from "../format.js";
import { reasonList } from "../reasons.js";

const OPTIONAL = ["outcome", "leader", "leader_usd", "fair"];

export function setUp() {
  byId("check-form").addEventListener("submit", send);
}

async function send(event) {
  event.preventDefault();
  const form = new FormData(byId("check-form"));
  const text = (name) => String(form.get(name) ?? "").trim();
  const body = { market: text("market"), side: text("side"), price: text("price"),
    size: text("size") };
  for (const name of OPTIONAL) if (text(name)) body[name] = text(name);
  byId("check-send").disabled = true;
  setText(byId("check-problem"), "");
  try {
    show(await ask("/api/risk/check", { method: "POST", body }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("check-answer").replaceChildren();
    setText(byId("check-problem"), error.message);
  } finally {
    byId("check-send").disabled = false;
  }
}

function show(said) {
  const words = said.approved
    ? `✓ Would be approved: ${shares(said.size_micro)} shares at ${price(said.price_micro)}, ${
      usd(said.reserve_micro)} set aside`
    : `✕ Would be refused: ${ruleName(said.rule).toLowerCase()}`;
  byId("check-answer").replaceChildren(
    h("p", { class: said.approved ? "said yes" : "said no", text: words }),
    h("p", { class: "muted small", text: [said.question, said.outcome].filter(Boolean).join(" · ") }),
    reasonList(said.reasons));
}
