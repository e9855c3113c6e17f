// One origin: its delays as a picture, what another window would have done, and the lines for the configuration.

import { along, at, axisEnd, picture, shareRange, shareWithin, windowFor } from "./curve.js";
import { el, fill, say } from "./dom.js";
import { delaysInWords, windowOf } from "./origins.js";
import { Refused, json } from "./service.js";
import { ago, configured, count, counted, duration, percent } from "./words.js";

/** Steps of the slider from one end of the axis to the other: each is 7 % longer than the one before. */
const STEPS = 200;
/** What `(others)` is in the API: origins taken together, which no table of the configuration names. */
const OTHERS = "(others)";

/**
 * A window that people would write: in whole seconds, tens of seconds, minutes or hours, and no shorter than this.
 * @param {number} ms
 */
export function rounded(ms) {
  const unit = [[120_000, 1_000], [3_600_000, 10_000], [86_400_000, 60_000]].find(([below]) => ms <= below)?.[1] ?? 3_600_000;
  return Math.max(unit, Math.ceil(ms / unit) * unit);
}

/**
 * The lines of the configuration that give an origin a window.
 * @param {string} host
 * @param {number} windowMs
 */
export function configurationLines(host, windowMs) {
  const table = host === OTHERS ? "[ordering]" : `[ordering.origin.${JSON.stringify(host)}]`;
  return `${table}\nreorder_window = "${configured(windowMs)}"`;
}

/**
 * What a window would have done, in sentences.
 * @param {import("./curve.js").InTime[]} inTime
 * @param {number} windowMs
 * @param {string} [host]
 */
export function inWords(inTime, windowMs, host = "") {
  const share = shareWithin(inTime, windowMs);
  const window = duration(windowMs);
  const found = share === 0 ? "none of its recent posts" : share === 1 ? "all of its recent posts" : `${percent(share)} of its recent posts`;
  return [
    `A window of ${window} would have found ${found} in time${share === 1 ? "." : `, and ${percent(1 - share)} late.`}`,
    host === OTHERS ? "Nobody waits for origins that are taken together." : `Accounts with a patience of ${window} or more wait up to ${window} for this origin, if they follow somebody there. Accounts ` +
          "with less do not wait for it: its posts go into their places as they come.",
  ];
}

/**
 * @param {string} [host]
 * @returns {import("./app.js").View}
 */
export function originPage(host = "") {
  let origin = /** @type {import("./origins.js").Origin | null} */ (null);
  let missing = "";
  let triedMs = 0;
  let drawn = "";

  const badge = el("span", { class: "badge", hidden: true }, "scheduled delay");
  const note = el("p", { role: "status" });
  const facts = el("dl", { class: "facts" });
  const drawing = el("div", { class: "drawing" });
  const slider = el("input", { type: "range", id: "window", min: 0, max: STEPS, step: 1, oninput: () => tryOut(rounded(at(slider.value / STEPS, end()))) });
  const value = el("output", { for: "window", class: "chosen" });
  const presets = el("div", { class: "presets", role: "group", "aria-label": "Windows to try" });
  const words = el("div", { class: "words" });
  // The slider says its own value. The sentences change by themselves while posts come, which nobody wants to hear each time.
  const told = el("p", { class: "unseen", role: "status" });
  const bars = el("dl", { class: "compared" });
  const lines = el("code");
  const copied = el("span", { role: "status", class: "quiet" });
  const body = el(
    "div",
    { hidden: true },
    facts,
    el(
      "section",
      { "aria-labelledby": "tried", class: "sheet" },
      el("h2", { id: "tried" }, "What would another window do?"),
      el("ul", { class: "legend" },
        el("li", { class: "within" }, "delays within the window tried"),
        el("li", { class: "past" }, "delays past that"),
        el("li", { class: "curve" }, "share in time by window"),
        el("li", { class: "force" }, "window in force")),
      el("div", { class: "wide bare", role: "region", tabindex: 0, "aria-label": "Delays as a picture" }, drawing),
      el("div", { class: "slide" }, el("label", { for: "window" }, "Window to try"), slider, value),
      presets,
      words,
      told,
      bars,
      el("p", { class: "quiet small" }, "Recent posts count more: one that is a day old counts half. Delays are counted in steps, so that of a window between two of them it is known what it finds at least and at most. The bars of the picture say how the delays are spread; the scale is that of the curve."),
      el("h3", {}, "For the configuration"),
      el("pre", { tabindex: 0, "aria-label": "Lines for the configuration" }, lines),
      el("div", { class: "together" }, el("button", { type: "button", class: "main copy", onclick: copy }, "Copy these lines"), copied),
      el("p", { class: "quiet" }, "A saved configuration is in force at once: no restart is needed. If the file has this table already, put only the second line into it."),
    ),
  );
  const element = el("div", {}, el("p", {}, el("a", { href: "#/" }, "All origins")), el("h1", { class: "of-origin" }, host, " ", badge), note, body);

  async function copy() {
    try {
      await navigator.clipboard.writeText(lines.textContent);
      say(copied, "Copied.");
    } catch {
      // No clipboard: the page was not opened over https or on this machine. The lines are selected, to be copied by hand.
      getSelection().selectAllChildren(lines);
      say(copied, "Selected: copy them with your keyboard.");
    }
  }

  const end = () => axisEnd(origin.in_time_by_window, origin.reorder_window_ms);

  function tryOut(ms) {
    triedMs = ms;
    drawTried();
  }

  function choose(ms) {
    tryOut(ms);
    say(told, words.firstElementChild.textContent);
  }

  function drawTried() {
    const { in_time_by_window: inTime, reorder_window_ms: windowMs } = origin;
    const sentences = inWords(inTime, triedMs, host);
    say(value, duration(triedMs));
    slider.value = String(Math.round(along(triedMs, end()) * STEPS));
    slider.setAttribute("aria-valuetext", `${duration(triedMs)}: ${percent(shareWithin(inTime, triedMs))} in time`);
    const label = `${sentences[0]} ${delaysInWords(origin)}.`;
    fill(drawing, picture({ inTime, windowMs, triedMs, label }));
    if (words.textContent !== sentences.join("")) fill(words, ...sentences.map((sentence) => el("p", {}, sentence)));
    const [inForce] = windowOf(origin);
    fill(bars, ...compared(`In force: ${inForce}`, shareRange(inTime, windowMs)), ...compared(`Tried: ${duration(triedMs)}`, shareRange(inTime, triedMs)));
    const text = configurationLines(host, triedMs);
    if (lines.textContent !== text) {
      say(lines, text);
      say(copied, "");
    }
  }

  function drawPresets() {
    const { in_time_by_window: inTime, reorder_window_ms: windowMs, learned_window_ms: learned } = origin;
    const finding = [0.9, 0.99, 1].map((share) => [`Finds ${percent(share)}`, windowFor(inTime, share)]);
    const choices = [
      0 < windowMs && ["In force", windowMs],
      learned !== null && ["Learned", learned],
      // Of windows that are the same, the one that says the most.
      ...finding.filter(([, ms], n) => ms !== null && ms !== finding[n + 1]?.[1]),
    ].filter(Boolean);
    fill(presets, ...choices.map(([name, ms]) => el("button", { type: "button", onclick: () => choose(rounded(ms)) }, `${name}: ${duration(rounded(ms))}`)));
  }

  return {
    title: host,
    element,
    async look() {
      try {
        origin = await json(`/v1/origins/${encodeURIComponent(host)}`);
        missing = "";
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 404) throw error;
        origin = null;
        missing = `${error.message}.`;
      }
    },
    update({ now }) {
      say(note, missing);
      body.hidden = origin === null || origin.in_time_by_window.length === 0;
      if (!origin) return;
      badge.hidden = !origin.looks_scheduled;
      if (body.hidden) say(note, "No delay of it is known yet.");
      factsOf(facts, origin, now);
      const seen = JSON.stringify([origin.in_time_by_window, origin.reorder_window_ms, origin.learned_window_ms]);
      if (body.hidden || seen === drawn) return;
      drawn = seen;
      if (!presets.contains(document.activeElement)) drawPresets();
      if (triedMs === 0) tryOut(rounded(windowFor(origin.in_time_by_window, 0.99) ?? origin.reorder_window_ms));
      else drawTried();
    },
  };
}

/** A bar: what a window finds in time at least, what maybe, and what not. */
function compared(name, [least, most]) {
  const share = least === most ? percent(least) : `${percent(least)} to ${percent(most)}`;
  const part = (kind, size) => {
    const it = el("span", { class: `part ${kind}` });
    it.style.flexGrow = String(size);
    return 0 < size && it;
  };
  return [el("dt", {}, name), el("dd", {}, el("div", { class: "stack", "aria-hidden": "true" }, part("in_time", least), part("maybe", most - least), part("late", 1 - most)), `${share} in time`)];
}

function factsOf(facts, origin, now) {
  const [window, from] = windowOf(origin);
  const { posts } = origin;
  const more = [["from the future", posts.from_the_future], ["undated", posts.undated], ["fetched", posts.fetched]].filter(([, n]) => 0 < n);
  const rows = [
    ["Window", from === "to be learned" ? from : `${window}, ${from}`],
    ["Delays", delaysInWords(origin)],
    ["Posts", [["in time", posts.in_time], ["late", posts.late], ["too late", posts.too_late], ...more].map(([name, n]) => `${count(n)} ${name}`).join(", ")],
    ["Late posts go", origin.late === "surface" ? "on top" : "into their places"],
    ["Too late is", `${duration(origin.allowed_lateness_ms)} past the window; such posts go ${origin.too_late === "drop" ? "nowhere" : "into their places, unannounced"}`],
    0 < origin.refused && ["Refused", counted(origin.refused, "activity", "activities")],
    ["Last heard", ago(origin.last_heard, now)],
  ].filter(Boolean);
  if (facts.children.length === rows.length) {
    rows.forEach(([, text], n) => say(facts.children[n].lastElementChild, text));
    return;
  }
  fill(facts, ...rows.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
}
