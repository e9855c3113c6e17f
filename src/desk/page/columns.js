// Two columns of the same posts: by arrival, and in order. What came a moment ago is marked, and so is what came below what was shown.

import { el, fill, place, say } from "./dom.js";
import { byArrival, isLate, nameIn, outOfOrder, textOfEntry } from "./posts.js";
import { compareIds } from "./stream.js";
import { clockTime, counted, duration } from "./words.js";

/** Entries in each column. */
export const SHOWN = 30;
/** How long a post that has just come is marked as such, in milliseconds. */
const FRESH_MS = 4_000;

/** @typedef {import("./stream.js").Entry} Entry */

/**
 * The entries that a feed showed so far, and which of them came below what had been shown.
 */
export class ShownSoFar {
  /** By id: when it was first seen here, and whether something above it had been. @type {Map<string, { at: number, behind: boolean }>} */
  entries = new Map();
  /** How many came since the first look, and how many of them below what was shown. */
  came = 0;
  behind = 0;
  /** Whether the last look was at all there is. */
  wasWhole = false;

  /**
   * @param {Entry[]} entries newest first: what is shown at a moment
   * @param {boolean} isWhole whether there is nothing below
   * @param {number} at
   */
  take(entries, isWhole, at) {
    const isFirst = this.entries.size === 0;
    const known = [...this.entries.keys()].sort(compareIds);
    const [lowest, highest] = [known[0], known.at(-1)];
    for (const { id } of entries) {
      if (this.entries.has(id)) continue;
      // What moves in at the lower end, because something above it went, has not come.
      const isNew = !isFirst && (this.wasWhole || 0 < compareIds(id, lowest));
      const behind = isNew && compareIds(id, highest) < 0;
      this.entries.set(id, { at: isNew ? at : 0, behind });
      this.came += isNew ? 1 : 0;
      this.behind += behind ? 1 : 0;
    }
    const there = new Set(entries.map(({ id }) => id));
    for (const id of this.entries.keys()) if (!there.has(id)) this.entries.delete(id);
    this.wasWhole = isWhole;
  }
}

/** @param {Node} waiting what stands above the column in order */
export function columnsOf(waiting) {
  const rows = { order: new Map(), arrival: new Map() };
  const arrived = new ShownSoFar();
  const columns = ["arrival", "order"].map((kind) => {
    const name = kind === "order" ? "In order" : "By arrival";
    const about = el("p", { class: "quiet about" });
    const list = el("ol", { class: "posts", "data-column": kind });
    return { kind, about, list, element: el("section", { class: "sheet", "aria-labelledby": kind }, el("h2", { id: kind }, name), about, kind === "order" && waiting, list) };
  });
  const element = el("div", { class: "columns" }, ...columns.map((it) => it.element));

  /** A row, made once and then kept up. Times of the day of the newest entry are shown without it. */
  function row(kind, entry, { moved, day, mark, isFresh, waits, handles }) {
    const known = rows[kind].get(entry.id);
    const name = nameIn(entry.author, handles);
    const written = JSON.stringify([entry.edited, entry.arrived, moved, mark?.behind, waits, day.slice(0, 10), name]);
    if (known?.written === written) {
      known.element.classList.toggle("fresh", isFresh);
      return known.element;
    }
    const shown = known?.element ?? el("li", { "data-uri": entry.uri, onpointerenter: point, onpointerleave: point });
    shown.className = [isLate(entry) && "is-late", isFresh && "fresh", waits && "held"].filter(Boolean).join(" ");
    const post = entry.boost ?? entry;
    fill(
      shown,
      el("p", { class: "head" },
        el("time", { datetime: entry.published }, clockTime(entry.published, Date.parse(day))),
        el("strong", {}, name),
        entry.boost && el("span", { class: "quiet" }, `boosts ${nameIn(post.author ?? "", handles)}`),
        isLate(entry) && el("span", { class: "badge late-mark" }, `${entry.verdict === "late" ? "late" : "too late"}: it took ${duration(entry.delay_ms ?? 0)}`),
        mark?.behind && kind === "order" && el("span", { class: "badge behind-mark" }, "came below what was shown"),
        waits && el("span", { class: "quiet" }, "waits in order"),
        kind === "arrival" && 0 < moved && el("span", { class: "quiet" }, `belongs ${counted(moved, "place")} further down`)),
      el("p", { class: "text" }, textOfEntry(entry) || el("span", { class: "quiet" }, "(no text)")),
    );
    rows[kind].set(entry.id, { element: shown, written });
    return shown;
  }

  /** The same post in the other column is marked too. */
  function point({ type, currentTarget }) {
    const isOn = type === "pointerenter";
    for (const it of element.querySelectorAll("li[data-uri]")) it.classList.toggle("pointed", isOn && it.dataset.uri === currentTarget.dataset.uri);
  }

  return {
    element,
    /**
     * @param {Entry[]} shown newest first
     * @param {Entry[]} waiting of these
     * @param {ShownSoFar} sofar of those that are shown
     * @param {Record<string, string>} handles by actor id
     */
    draw(shown, waiting, sofar, handles) {
      const at = Date.now();
      const order = [...waiting, ...shown].sort((a, b) => compareIds(b.id, a.id)).slice(0, SHOWN);
      const held = new Set(waiting.map(({ id }) => id));
      const arrival = byArrival(order);
      arrived.take(arrival, order.length < SHOWN, at);
      const day = order[0]?.published ?? "";
      const isRecent = (mark) => mark !== undefined && 0 < mark.at && at - mark.at < FRESH_MS;
      for (const { kind, list, about } of columns) {
        const entries = kind === "order" ? order.filter(({ id }) => !held.has(id)) : arrival;
        const marks = kind === "order" ? sofar : arrived;
        const drawn = entries.map((entry, n) => {
          const mark = marks.entries.get(entry.id);
          const moved = order.indexOf(entry) - n;
          return row(kind, entry, { moved, day, mark, isFresh: isRecent(mark), waits: kind === "arrival" && held.has(entry.id), handles });
        });
        place(list, drawn);
        const counts = `${outOfOrder(entries)} of ${entries.length} are out of order.`;
        say(about, kind === "order" ? `By when they were written: ${counts}` : `As most servers show them: ${counts} What has just come is shaded.`);
        const there = new Set(entries.map((entry) => entry.id));
        for (const id of rows[kind].keys()) if (!there.has(id)) rows[kind].delete(id);
      }
    },
  };
}
