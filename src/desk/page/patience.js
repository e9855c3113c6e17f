// A patience that is tried: the control that turns it, what it comes to in words, and the posts that wait.

import { el, fill, place, say } from "./dom.js";
import { linkTo } from "./origins.js";
import { nameIn, textOfEntry } from "./posts.js";
import { token } from "./service.js";
import { clockTime, counted, duration, durationOf } from "./words.js";

/** What the slider stops at. */
export const STOPS = ["0s", "1s", "2s", "5s", "10s", "15s", "20s", "30s", "1m", "2m", "5m", "10m", "15m", "20m", "30m", "1h", "complete"];
/** Posts that wait, of which there is a row each; the others are counted. */
const WAITING_MAX = 6;

/**
 * What the API says of a feed at a patience.
 * @typedef {import("./stream.js").Entry} Entry
 * @typedef {{ patience: string, hold: string, held_by: { origin: string, wait: string }[], horizon: string | null, now: string,
 *   entries: Entry[], waiting_count: number, waiting: { shown_at: string, entry: Entry }[],
 *   handles: Record<string, string> }} Preview
 */

/**
 * A patience in words.
 * @param {string} patience as the API writes it
 */
export function patienceInWords(patience) {
  return patience === "complete" ? "complete" : durationOf(patience);
}

/**
 * The stop of the slider that is nearest to a patience from below.
 * @param {string} patience as the API writes it
 * @param {(text: string) => number} millis
 */
export function stopOf(patience, millis) {
  if (patience === "complete") return STOPS.length - 1;
  const ms = millis(patience);
  const beyond = STOPS.findIndex((stop) => stop === "complete" || ms < millis(stop));
  return Math.max(0, beyond - 1);
}

/**
 * What waits, and until when, in a sentence.
 * @param {Preview} preview
 * @param {number} now milliseconds, by the service's clock
 */
export function waitInWords({ patience, hold, held_by: heldBy, waiting, waiting_count: count }, now) {
  if (hold === "0s") {
    return patience === "0s"
      ? "Nothing is held back. What comes late goes where it belongs, below what was shown, and is marked."
      : "Nothing is held back: no origin that it follows would be waited for at this patience.";
  }
  const held = `held back for ${durationOf(hold)} by ${heldBy.map(({ origin }) => origin).join(", ")}`;
  if (count === 0) return `Nothing waits at the moment; posts are ${held}.`;
  return `${counted(count, "post waits", "posts wait")}, the next is shown ${inWords(waiting[0]?.shown_at, now)}; posts are ${held}.`;
}

function inWords(shownAt, now) {
  const ms = Date.parse(shownAt) - now;
  return ms < 1_000 ? "in a moment" : `in ${duration(Math.ceil(ms / 1000) * 1000)}`;
}

/**
 * The control. `onturn` is told of another patience to try, null for the account's own.
 * @param {(patience: string | null) => void} onturn
 * @param {(text: string) => number} millis
 * @param {Element} state of the connection, which stands beside the heading
 */
export function patienceControl(onturn, millis, state) {
  let tried = /** @type {string | null} */ (null);
  const slider = el("input", { type: "range", id: "patience", min: 0, max: STOPS.length - 1, step: 1, value: 0, oninput: () => turn(STOPS[Number(slider.value)]) });
  const value = el("output", { for: "patience", class: "chosen" });
  const own = el("button", { type: "button", "aria-pressed": "true", onclick: () => turn(null) }, "The account’s own");
  const none = el("button", { type: "button", "aria-pressed": "false", onclick: () => turn("0s") }, "None");
  const complete = el("button", { type: "button", "aria-pressed": "false", onclick: () => turn("complete") }, "Complete");
  const words = el("p", { class: "waits" });
  const came = el("p", { class: "came" });
  const about = el("p", { class: "quiet small" });
  // The slider says its own value. What that comes to is said once it is known, and not again with every second.
  const told = el("p", { class: "unseen", role: "status" });
  let isTold = true;
  const turns = el("div", { class: "slide" }, el("label", { for: "patience" }, "Patience"), slider, value, el("div", { class: "presets", role: "group", "aria-label": "Patience to try" }, own, none, complete));
  const body = el("div", {}, turns, words, came, about, told);
  const element = el(
    "section",
    { class: "sheet patience", "aria-labelledby": "turned" },
    el("div", { class: "bar-of" }, el("h2", { id: "turned" }, "What would another patience do?"), state),
    body,
  );

  function turn(patience) {
    tried = patience;
    isTold = false;
    if (patience !== null) slider.value = String(STOPS.indexOf(patience));
    onturn(patience);
  }

  return {
    element,
    /** @param {boolean} isThere whether there is a home to show */
    isThere(isThere) {
      body.hidden = !isThere;
    },
    /**
     * @param {Preview | null} preview
     * @param {number} now milliseconds, by the service's clock
     * @param {{ came: number, behind: number }} seen since this patience is looked at
     * @param {string} account
     */
    update(preview, now, seen, account) {
      own.setAttribute("aria-pressed", String(tried === null));
      none.setAttribute("aria-pressed", String(tried === "0s"));
      complete.setAttribute("aria-pressed", String(tried === "complete"));
      const patience = tried ?? preview?.patience;
      if (patience === undefined) return;
      if (tried === null) slider.value = String(stopOf(patience, millis));
      const shown = tried === null ? `${patienceInWords(patience)}, the account’s own` : patienceInWords(patience);
      say(value, shown);
      slider.setAttribute("aria-valuetext", shown);
      if (preview) say(words, waitInWords(preview, now));
      if (preview && !isTold) {
        isTold = true;
        say(told, waitInWords(preview, now));
      }
      const below = seen.behind === 0 ? "none of them below others that you had seen" : `${seen.behind} of them below others that you had seen`;
      say(came, seen.came === 0 ? "No post was shown yet since you chose this patience." : `Since you chose this patience ${counted(seen.came, "post was", "posts were")} shown, ${below}.`);
      say(about, tried === null ? "Move the slider: what you try is shown here alone, and changes nothing for the account." : `You only try this. To set it: curl -X PUT ${location.origin}/v1/accounts/${account}/ordering -H "Content-Type: application/json" -d '{"patience":"${tried}"}'${token() === null ? "" : ' -H "Authorization: Bearer …"'}`);
    },
  };
}

/** The posts that wait, above those that are shown: the next to be shown is the lowest. */
export function waitingList() {
  const title = el("h3", {});
  const by = el("p", { class: "quiet small" });
  const more = el("p", { class: "quiet small" });
  const list = el("ol", { class: "posts" });
  const element = el("div", { class: "waiting", hidden: true }, title, by, more, list);
  const rows = new Map();

  function row({ shown_at: shownAt, entry }, now, day, handles) {
    const known = rows.get(entry.id) ?? newRow(entry, day, handles);
    rows.set(entry.id, known);
    say(known.due, `shown ${inWords(shownAt, now)}`);
    return known.element;
  }

  function newRow(entry, day, handles) {
    const due = el("span", { class: "badge due" });
    const head = el("p", { class: "head" }, el("time", { datetime: entry.published }, clockTime(entry.published, Date.parse(day))), el("strong", {}, nameIn(entry.author, handles)), due);
    return { due, element: el("li", { "data-uri": entry.uri }, head, el("p", { class: "text" }, textOfEntry(entry) || el("span", { class: "quiet" }, "(no text)"))) };
  }

  return {
    element,
    /**
     * @param {Preview} preview
     * @param {number} now milliseconds, by the service's clock
     * @param {string} day of which times are shown without it
     */
    update(preview, now, day) {
      const next = preview.waiting.slice(0, WAITING_MAX);
      const above = preview.waiting_count - next.length;
      element.hidden = preview.waiting_count === 0;
      say(title, counted(preview.waiting_count, "post waits", "posts wait"));
      if (by.dataset.held !== JSON.stringify(preview.held_by)) {
        by.dataset.held = JSON.stringify(preview.held_by);
        fill(by, "held back for ", durationOf(preview.hold), " by ", ...preview.held_by.flatMap(({ origin }, n) => [0 < n && ", ", el("a", { href: linkTo(origin) }, origin)]));
      }
      more.hidden = above === 0;
      say(more, `and ${above} above these`);
      place(list, [...next].reverse().map((it) => row(it, now, day, preview.handles)));
      const there = new Set(next.map((it) => it.entry.id));
      for (const id of rows.keys()) if (!there.has(id)) rows.delete(id);
    },
  };
}
