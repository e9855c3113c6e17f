// Numbers and times in words. Functions of their arguments.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * A duration for people, of one or two units: `900 ms`, `12 s`, `2 min 30 s`, `1 d 4 h`.
 * @param {number} ms
 */
export function duration(ms) {
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < SECOND - 0.5) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${trimmed(ms / SECOND)} s`;
  if (ms < MINUTE - SECOND / 2) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR - SECOND / 2) return two(Math.round(ms / SECOND), 60, "min", "s", 10);
  if (ms < DAY - MINUTE / 2) return two(Math.round(ms / MINUTE), 60, "h", "min", 10);
  return two(Math.round(ms / HOUR), 24, "d", "h", 10);
}

/**
 * A duration as the configuration takes it: `90s`, `16m`, `16m 30s`, `1h 30m`, in whole seconds rounded up, or `250ms`.
 * @param {number} ms
 */
export function configured(ms) {
  if (ms < SECOND) return `${Math.max(0, Math.ceil(ms))}ms`;
  const seconds = Math.ceil(ms / SECOND);
  if (seconds < 120) return `${seconds}s`;
  const parts = [
    [Math.floor(seconds / 3600), "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  return parts.filter(([count]) => 0 < count).map(([count, unit]) => `${count}${unit}`).join(" ");
}

/**
 * A share from 0 to 1. What is not quite all or nothing is not shown as all or nothing.
 * @param {number} share
 */
export function percent(share) {
  if (share <= 0) return "0 %";
  if (1 <= share) return "100 %";
  if (share < 0.001) return "< 0.1 %";
  if (0.999 < share) return "> 99.9 %";
  return `${trimmed(share * 100)} %`;
}

/**
 * A whole number, in groups of three.
 * @param {number} number
 */
export function count(number) {
  return Math.round(number).toLocaleString("en");
}

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/**
 * Bytes, by powers of 1024.
 * @param {number} bytes
 */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (1024 <= bytes && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(bytes) : trimmed(bytes)} ${units[unit]}`;
}

/**
 * How many in a second.
 * @param {number} rate
 */
export function perSecond(rate) {
  return `${rate < 10 ? trimmed(rate) : count(rate)}/s`;
}

/**
 * How long ago a time was.
 * @param {string} time RFC 3339
 * @param {number} now milliseconds
 */
export function ago(time, now) {
  const ms = now - Date.parse(time);
  if (Number.isNaN(ms)) return "unknown";
  return ms < 2 * SECOND ? "just now" : `${duration(ms).split(" ").slice(0, 2).join(" ")} ago`;
}

/**
 * The time of day of a time, in UTC, with its day unless that is today.
 * @param {string} time RFC 3339
 * @param {number} now milliseconds
 */
export function clockTime(time, now) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return "unknown";
  const [day, rest] = at.toISOString().split("T");
  const today = new Date(now).toISOString().split("T")[0];
  return day === today ? rest.slice(0, 8) : `${day} ${rest.slice(0, 8)}`;
}

function trimmed(number) {
  return number.toFixed(number < 100 ? 1 : 0).replace(/\.0$/, "");
}

/** `whole` of the larger unit and the rest of the smaller one, which is left out where the larger are many. */
function two(smaller, each, large, small, many) {
  const whole = Math.floor(smaller / each);
  const rest = smaller % each;
  return rest === 0 || many <= whole && each === 24 ? `${whole} ${large}` : `${whole} ${large} ${rest} ${small}`;
}

const UNITS_MS = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, day: DAY, days: DAY, d: DAY, month: 30.44 * DAY, months: 30.44 * DAY, year: 365.25 * DAY, years: 365.25 * DAY };

/**
 * Milliseconds of a duration as the API writes it: `0s`, `1m 30s`, `250ms`; endless for `complete`.
 * @param {string} text
 */
export function millisOf(text) {
  if (text === "complete") return Infinity;
  return [...text.matchAll(/([0-9]+)\s*([a-z]+)/g)].reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS_MS[unit] ?? 0), 0);
}

/**
 * A duration as the API writes it, for people.
 * @param {string} text
 */
export function durationOf(text) {
  if (text === "complete") return text;
  const ms = millisOf(text);
  return ms === 0 ? "0 s" : duration(ms);
}
