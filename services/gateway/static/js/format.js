// From the API's integers to what people read. Amounts are BigInt until they are text.

const MICRO = 1_000_000n;
const MINUS = "\u2212";

const abs = (value) => (value < 0n ? -value : value);
const grouped = (digits) => digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

/** Round millionths to `places` decimals, half away from zero; give "1,234.50". */
function decimal(micro, places) {
  const step = 10n ** BigInt(6 - places);
  const rounded = (abs(micro) + step / 2n) / step;
  const whole = rounded / 10n ** BigInt(places);
  if (!places) return grouped(whole.toString());
  const rest = (rounded % 10n ** BigInt(places)).toString().padStart(places, "0");
  return `${grouped(whole.toString())}.${rest}`;
}

/** Dollars with cents: "$1,234.50", "−$3.20"; with `sign` also "+$3.20". */
export function usd(micro, { sign = false } = {}) {
  const value = BigInt(micro);
  const text = decimal(value, 2);
  const isZero = /^[0.,]+$/.test(text);
  const before = isZero ? "" : value < 0n ? MINUS : sign ? "+" : "";
  return `${before}$${text}`;
}

/** Dollars for an axis: no cents when all ticks are whole. */
export function axisUsd(dollars, step) {
  const places = step < 1 ? 2 : 0;
  const text = grouped(Math.abs(dollars).toFixed(places).split(".")[0])
    + (places ? `.${Math.abs(dollars).toFixed(2).split(".")[1]}` : "");
  return `${dollars < 0 ? MINUS : ""}$${text}`;
}

/** A price or an edge a share: at least three decimals, as the venue's ticks. */
export function price(micro, { sign = false } = {}) {
  const value = BigInt(micro);
  const places = value % 1000n === 0n ? 3 : 4;
  const before = value < 0n ? MINUS : sign && value > 0n ? "+" : "";
  return `${before}$${decimal(value, places)}`;
}

export function shares(micro) {
  const value = BigInt(micro);
  const text = decimal(value, value % MICRO === 0n ? 0 : 2);
  return value < 0n ? MINUS + text : text;
}

export function percent(microRatio) {
  const value = BigInt(microRatio);
  return `${value < 0n ? MINUS : ""}${decimal(abs(value) * 100n, 1)} %`;
}

export const count = (value) => grouped(BigInt(value).toString());

/** A span of time in its largest sensible unit. */
export function duration(ns) {
  const seconds = Number(BigInt(ns)) / 1e9;
  const size = Math.abs(seconds);
  const text = (value, unit) =>
    `${seconds < 0 ? MINUS : ""}${value >= 100 || Number.isInteger(value)
      ? Math.round(value) : value.toPrecision(2)} ${unit}`;
  if (size === 0) return "0 s";
  if (size < 1e-3) return text(size * 1e6, "µs");
  if (size < 1) return text(size * 1e3, "ms");
  if (size < 120) return text(size, "s");
  if (size < 7_200) return text(size / 60, "min");
  if (size < 172_800) return text(size / 3_600, "h");
  return text(size / 86_400, "days");
}

export const micros = (us) => duration(BigInt(us) * 1000n);

const UTC_DATE = new Intl.DateTimeFormat("en-GB",
  { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const UTC_TIME = new Intl.DateTimeFormat("en-GB",
  { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
const UTC_DAY = new Intl.DateTimeFormat("en-GB",
  { day: "numeric", month: "short", timeZone: "UTC" });
const LOCAL = new Intl.DateTimeFormat("en-GB",
  { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

const toDate = (ns) => new Date(Number(BigInt(ns) / 1_000_000n));

/** Event time: the venue's or the tape's, always UTC. */
export const eventTime = (ns) =>
  `${UTC_DATE.format(toDate(ns))}, ${UTC_TIME.format(toDate(ns))} UTC`;
export const shortEventTime = (ns) =>
  `${UTC_DAY.format(toDate(ns))} ${UTC_TIME.format(toDate(ns))}`;
export const eventDay = (ms) => UTC_DAY.format(new Date(ms));
export const eventHour = (ms) => UTC_TIME.format(new Date(ms));
/** The wall clock of whoever looks. */
export const wallTime = (ns) => LOCAL.format(toDate(ns));
const CLOCK = new Intl.DateTimeFormat("en-GB",
  { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const wallClock = (ns) => CLOCK.format(toDate(ns));
export const isoTime = (ns) => toDate(ns).toISOString();

export const shortId = (id) => (id.length > 14 ? `${id.slice(0, 6)}…${id.slice(-4)}` : id);

/** "discovery.edge_lower_min" as "Edge lower min". */
export function ruleName(rule) {
  const words = rule.split(".").pop().replaceAll(/[_-]/g, " ").replace(/\bcvar\b/, "CVaR")
    .replace(/\bvar\b/, "VaR");
  return words ? words[0].toUpperCase() + words.slice(1) : "Unnamed rule";
}

// Nanoseconds above this are a moment, below it a span: ten years.
const SPAN_NS_MAX = 315_576_000_000_000_000n;

/** Whether a rule is a plain yes or no: 1 or 0 held against 1. */
export const isFlag = ({ unit, value, limit, passed }) =>
  unit === "count" && limit === "1" && ((value === "1" && passed) || (value === "0" && !passed));

/** A reason's number in its unit. */
export function measured(number, unit) {
  switch (unit) {
    case "micro_usd": return usd(number);
    case "micro_shares": return `${shares(number)} shares`;
    case "micro_price": return price(number);
    case "micro_ratio": return percent(number);
    case "count": return count(number);
    case "nanoseconds":
      return abs(BigInt(number)) > SPAN_NS_MAX ? eventTime(number) : duration(number);
    default: return number;
  }
}

/** "gain", "loss" or "flat", by what the rounded dollars show. */
export function tone(micro) {
  const value = BigInt(micro);
  if (abs(value) < 5_000n) return "flat";
  return value < 0n ? "loss" : "gain";
}

/** A fact of a chain's step, by its kind. */
export function fact({ value, kind }) {
  switch (kind) {
    case "usd": return usd(value);
    case "shares": return `${shares(value)} shares`;
    case "price": return price(value);
    case "time": return eventTime(value);
    case "count": return count(value);
    default: return value;
  }
}
