// The delays of an origin as pictures: how many posts took how long, and what a window would find in time. What is drawn is
// `in_time_by_window` of /v1/origins; the axis is logarithmic, since delays go from a second to days.

import { svg } from "./dom.js";
import { duration, percent } from "./words.js";

/** @typedef {{ window_ms: number, share: number }} InTime */

/** The axis of all pictures: from a second to ten days. */
const AXIS_MS = /** @type {const} */ ([1_000, 864_000_000]);
const TICKS_MS = [1_000, 10_000, 60_000, 600_000, 3_600_000, 43_200_000, 432_000_000];

/**
 * The share of posts that a window would find in time: at least that of the longest window known that is no longer.
 * @param {InTime[]} inTime ascending
 * @param {number} windowMs
 */
export function shareWithin(inTime, windowMs) {
  let share = 0;
  for (const known of inTime) {
    if (windowMs < known.window_ms) break;
    share = known.share;
  }
  return share;
}

/**
 * The share between the two windows known that a window lies between: at least, and at most. They are the same at a window that is known.
 * @param {InTime[]} inTime ascending
 * @param {number} windowMs
 */
export function shareRange(inTime, windowMs) {
  const least = shareWithin(inTime, windowMs);
  if (inTime.some((known) => known.window_ms === windowMs)) return [least, least];
  const above = inTime.find((known) => windowMs < known.window_ms);
  return [least, above ? above.share : least];
}

/**
 * Where the axis of one origin's picture ends: well past its longest delay and its window, at most at the end of all.
 * @param {InTime[]} inTime ascending
 * @param {number} windowMs
 */
export function axisEnd(inTime, windowMs) {
  const longest = histogram(inTime).findLast((bar) => 0 < bar.share)?.upTo ?? 0;
  const past = 4 * Math.max(longest, windowMs);
  return TICKS_MS.find((tick) => AXIS_MS[0] < tick && past <= tick) ?? AXIS_MS[1];
}

/**
 * The shortest window known that finds a share in time; null if none does.
 * @param {InTime[]} inTime ascending
 * @param {number} share
 * @returns {number | null}
 */
export function windowFor(inTime, share) {
  const enough = inTime.find((known) => share <= known.share + 1e-9);
  return enough ? enough.window_ms : null;
}

/**
 * The share of posts in each interval of delays.
 * @param {InTime[]} inTime ascending
 * @returns {{ above: number, upTo: number, share: number }[]}
 */
export function histogram(inTime) {
  let above = 0;
  let before = 0;
  return inTime.map(({ window_ms: upTo, share }) => {
    const bar = { above, upTo, share: share - before };
    above = upTo;
    before = share;
    return bar;
  });
}

/**
 * Where a duration is on the axis, from 0 to 1.
 * @param {number} ms
 * @param {number} [end] where the axis ends
 */
export function along(ms, end = AXIS_MS[1]) {
  const [low, high] = [AXIS_MS[0], end].map(Math.log);
  return Math.min(1, Math.max(0, (Math.log(Math.max(1, ms)) - low) / (high - low)));
}

/**
 * The duration at a place of the axis.
 * @param {number} place 0 to 1
 * @param {number} [end] where the axis ends
 */
export function at(place, end = AXIS_MS[1]) {
  const [low, high] = [AXIS_MS[0], end].map(Math.log);
  return Math.exp(low + place * (high - low));
}

/**
 * A small histogram for a row of a table: bars within the window in one colour, past it in another.
 * @param {InTime[]} inTime
 * @param {number} windowMs
 * @param {string} label what it shows, in words
 */
export function sparkHistogram(inTime, windowMs, label) {
  const [width, height] = [120, 26];
  const bars = histogram(inTime);
  const most = Math.max(...bars.map((bar) => bar.share), 1e-9);
  const drawn = bars.map(({ upTo, share }) => {
    if (share <= 0) return null;
    const tall = Math.max(2, (share / most) * (height - 3));
    const x = along(upTo) * (width - 4);
    const kind = upTo <= windowMs ? "bar" : "bar past";
    return svg("rect", { class: kind, x: x.toFixed(1), y: (height - 1 - tall).toFixed(1), width: 3, height: tall.toFixed(1) });
  });
  const x = (along(windowMs) * (width - 4) + 3.5).toFixed(1);
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    svg("line", { class: "ground", x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5 }),
    0 < windowMs && svg("line", { class: "window", x1: x, x2: x, y1: 0, y2: height }),
    ...drawn,
  );
}

/**
 * A line of recent values, for a number that changes.
 * @param {number[]} values
 */
export function trend(values) {
  const [width, height] = [120, 28];
  const most = Math.max(...values, 1e-9);
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((value, n) => `${(n * step).toFixed(1)},${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`);
  return svg(
    "svg",
    { class: "trend", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    2 < values.length && svg("polyline", { points: points.join(" ") }),
  );
}

/**
 * The delays of one origin: the histogram, the curve of shares above it, the window that is in force and one that is tried.
 * @param {{ inTime: InTime[], windowMs: number, triedMs: number, label: string }} shown
 */
export function picture({ inTime, windowMs, triedMs, label }) {
  const [width, height, left, right, top, bottom] = [720, 280, 48, 12, 14, 34];
  const [inner, tall] = [width - left - right, height - top - bottom];
  const end = axisEnd(inTime, windowMs);
  const x = (ms) => (left + along(ms, end) * inner).toFixed(1);
  const y = (share) => (top + (1 - share) * tall).toFixed(1);
  const bars = histogram(inTime);
  const most = Math.max(...bars.map((bar) => bar.share), 1e-9);
  const columns = bars.map(({ above, upTo, share }) => {
    if (share <= 0) return null;
    const from = Math.max(along(above, end), along(upTo / 1.38, end)) * inner;
    const to = along(upTo, end) * inner;
    const part = (share / most) * 0.9;
    return svg("rect", {
      class: upTo <= triedMs ? "bar" : "bar past",
      x: (left + from + 1).toFixed(1),
      y: y(part),
      width: Math.max(2, to - from - 2).toFixed(1),
      height: Math.max(1, part * tall).toFixed(1),
    });
  });
  let path = `M${left},${y(0)}`;
  for (const { window_ms, share } of inTime) path += `H${x(window_ms)}V${y(share)}`;
  path += `H${left + inner}`;
  const shares = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    svg("line", { class: "grid", x1: left, x2: left + inner, y1: y(share), y2: y(share) }),
    svg("text", { x: left - 8, y: Number(y(share)) + 4, "text-anchor": "end" }, percent(share)),
  ]);
  const times = TICKS_MS.filter((ms) => ms <= end).flatMap((ms) => [
    svg("line", { class: "grid", x1: x(ms), x2: x(ms), y1: top, y2: top + tall }),
    svg("text", { x: x(ms), y: height - 12, "text-anchor": ms === AXIS_MS[0] ? "start" : ms === end ? "end" : "middle" }, duration(ms)),
  ]);
  const share = shareWithin(inTime, triedMs);
  return svg(
    "svg",
    { class: "picture", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    ...shares,
    ...times,
    ...columns,
    svg("path", { class: "curve", d: path }),
    0 < windowMs && svg("line", { class: "window", x1: x(windowMs), x2: x(windowMs), y1: top, y2: top + tall }),
    svg("line", { class: "tried", x1: x(triedMs), x2: x(triedMs), y1: top, y2: top + tall }),
    svg("circle", { class: "tried", cx: x(triedMs), cy: y(share), r: 5 }),
  );
}
