// The table of origins: sorted, searched and in pages here, from the busiest that the service gives.

import { sparkHistogram } from "./curve.js";
import { el, fill, place, say } from "./dom.js";
import { ago, count, counted, duration, percent } from "./words.js";

/** Rows of a page. */
const ROWS = 20;

/**
 * @typedef {{ host: string, reorder_window_ms: number, window_from: string, learned_window_ms: number | null,
 *   allowed_lateness_ms: number, delay_ms: null | { p10: number, p50: number, p90: number, p99: number, max: number },
 *   looks_scheduled: boolean, in_time_by_window: import("./curve.js").InTime[], posts: Record<string, number>,
 *   refused: number, last_heard: string }} Origin
 */

/** Posts whose delay was measured: those in time, late and too late. */
const measured = ({ posts }) => posts.in_time + posts.late + posts.too_late;

/**
 * The share of an origin's posts that came in time; null before the first.
 * @param {Origin} origin
 * @returns {number | null}
 */
export function shareInTime(origin) {
  const all = measured(origin);
  return all === 0 ? null : origin.posts.in_time / all;
}

/**
 * The window of an origin in words.
 * @param {Origin} origin
 */
export function windowOf(origin) {
  switch (origin.window_from) {
    case "fixed":
      return [duration(origin.reorder_window_ms), "fixed"];
    case "learned":
      return [duration(origin.reorder_window_ms), "learned"];
    default:
      return ["none yet", "to be learned"];
  }
}

/** The columns: what they are called, what they are sorted by, how they sort first, what they show. */
const COLUMNS = [
  { key: "host", name: "Origin", of: (it) => it.host, first: "ascending" },
  { key: "posts", name: "Posts", of: measured, first: "descending", number: true },
  { key: "delay", name: "Delays", of: (it) => it.delay_ms?.p50 ?? -1, first: "descending" },
  { key: "window", name: "Window", of: (it) => it.reorder_window_ms, first: "descending", number: true },
  { key: "in_time", name: "In time", of: (it) => shareInTime(it) ?? 2, first: "ascending", number: true },
  { key: "late", name: "Late", of: (it) => it.posts.late, first: "descending", number: true },
  { key: "too_late", name: "Too late", of: (it) => it.posts.too_late, first: "descending", number: true },
  { key: "heard", name: "Last heard", of: (it) => Date.parse(it.last_heard), first: "descending", number: true },
];

/**
 * Some of the rows in an order: those whose host has the word, a page of them.
 * @param {Origin[]} origins
 * @param {{ key: string, order: "ascending" | "descending", word: string, page: number }} wanted
 */
export function pageOf(origins, { key, order, word, page }) {
  const column = COLUMNS.find((it) => it.key === key) ?? COLUMNS[0];
  const sign = order === "ascending" ? 1 : -1;
  const compare = (a, b) => {
    const [x, y] = [column.of(a), column.of(b)];
    if (x !== y) return x < y ? -sign : sign;
    return a.host < b.host ? -1 : 1;
  };
  const searched = word.trim().toLowerCase();
  const found = origins.filter((it) => it.host.toLowerCase().includes(searched)).sort(compare);
  const pages = Math.max(1, Math.ceil(found.length / ROWS));
  const shown = Math.min(page, pages - 1);
  return { rows: found.slice(shown * ROWS, (shown + 1) * ROWS), found: found.length, page: shown, pages };
}

/** The table with its search and its pages. */
export function originsTable() {
  const wanted = { key: "late", order: /** @type {"ascending" | "descending"} */ ("descending"), word: "", page: 0 };
  let all = { origins: /** @type {Origin[]} */ ([]), known: 0 };
  let now = 0;
  const rows = new Map();

  const search = el("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", oninput: searched });
  const found = el("p", { class: "found", "aria-live": "polite" });
  const elsewhere = el("p", { class: "quiet" });
  const headers = COLUMNS.map((column) => {
    const button = el("button", { type: "button", onclick: () => sort(column) }, column.name, el("span", { class: "arrow", "aria-hidden": "true" }));
    return el("th", { scope: "col", class: classes(column), "data-key": column.key }, button);
  });
  const body = el("tbody");
  const table = el("table", { class: "origins" }, el("caption", { class: "unseen" }, "Origins"), el("thead", {}, el("tr", {}, ...headers)), body);
  const back = el("button", { type: "button", onclick: () => turn(-1) }, "Back");
  const on = el("button", { type: "button", onclick: () => turn(1) }, "Next");
  const where = el("span");
  const pages = el("nav", { class: "turn", "aria-label": "Pages of origins", hidden: true }, back, where, on);
  const element = el(
    "section",
    { "aria-labelledby": "origins" },
    el("div", { class: "bar-of" }, el("h2", { id: "origins" }, "Origins"), el("label", { for: "search" }, "Find a host"), search),
    el("p", { class: "quiet small" }, "A post is late if it took longer than the window of its origin, and too late if much longer. Late ones go into their places all the same. A fixed window is set in the configuration; a learned one follows the delays."),
    found,
    el("div", { class: "wide", role: "region", "aria-label": "Table of origins", tabindex: 0 }, table),
    elsewhere,
    pages,
  );

  function searched() {
    wanted.word = search.value;
    wanted.page = 0;
    draw();
  }

  function sort(column) {
    const isSame = wanted.key === column.key;
    const other = wanted.order === "ascending" ? "descending" : "ascending";
    wanted.order = isSame ? other : column.first;
    wanted.key = column.key;
    wanted.page = 0;
    draw();
  }

  function turn(by) {
    wanted.page += by;
    draw();
  }

  function draw() {
    const shown = pageOf(all.origins, wanted);
    wanted.page = shown.page;
    for (const header of headers) {
      const isSorted = header.dataset.key === wanted.key;
      if (isSorted) header.setAttribute("aria-sort", wanted.order);
      else header.removeAttribute("aria-sort");
    }
    say(found, sentence(shown.found, all.origins.length, all.known, wanted.word));
    const isBeyond = shown.found === 0 && all.origins.length < all.known && wanted.word.trim() !== "";
    fill(elsewhere, isBeyond && el("a", { href: linkTo(wanted.word.trim()) }, `Ask for ${wanted.word.trim()} by its whole name`));
    place(body, shown.rows.map((origin) => row(origin)));
    pages.hidden = shown.pages === 1;
    back.disabled = shown.page === 0;
    on.disabled = shown.page === shown.pages - 1;
    say(where, `${shown.page + 1} of ${shown.pages}`);
  }

  /** The row of an origin, made once and then kept up: the focus and what is selected stay. */
  function row(origin) {
    const known = rows.get(origin.host) ?? newRow(origin);
    rows.set(origin.host, known);
    const [window, from] = windowOf(origin);
    const share = shareInTime(origin);
    const { cells } = known;
    known.badge.hidden = !origin.looks_scheduled;
    say(cells.posts, count(measured(origin)));
    const drawn = JSON.stringify([origin.in_time_by_window, origin.reorder_window_ms]);
    if (known.drawn !== drawn) {
      fill(cells.delay, sparkHistogram(origin.in_time_by_window, origin.reorder_window_ms, delaysInWords(origin)));
      known.drawn = drawn;
    }
    fill(cells.window, window, el("span", { class: "quiet" }, ` ${from}`));
    say(cells.in_time, share === null ? "–" : percent(share));
    say(cells.late, count(origin.posts.late));
    cells.late.classList.toggle("some", 0 < origin.posts.late);
    say(cells.too_late, count(origin.posts.too_late));
    cells.too_late.classList.toggle("some", 0 < origin.posts.too_late);
    say(cells.heard, ago(origin.last_heard, now));
    return known.element;
  }

  function newRow(origin) {
    const badge = el("span", { class: "badge", title: "It holds every post back for about the same time." }, "scheduled delay");
    const name = el("th", { scope: "row", class: "host" }, el("a", { href: linkTo(origin.host) }, ...breakable(origin.host)), " ", badge);
    const cells = Object.fromEntries(COLUMNS.slice(1).map((column) => [column.key, el("td", { class: classes(column) })]));
    return { element: el("tr", { "data-host": origin.host }, name, ...Object.values(cells)), cells, badge, drawn: "" };
  }

  return {
    element,
    /**
     * @param {{ origins: Origin[], known: number }} given
     * @param {number} at
     */
    update(given, at) {
      all = given;
      now = at;
      const hosts = new Set(given.origins.map((it) => it.host));
      for (const host of rows.keys()) if (!hosts.has(host)) rows.delete(host);
      draw();
    },
  };
}

/**
 * Where an origin is shown.
 * @param {string} host
 */
export function linkTo(host) {
  return `#/origins/${encodeURIComponent(host)}`;
}

/**
 * The delays of an origin in a sentence.
 * @param {Origin} origin
 */
export function delaysInWords({ delay_ms: delay }) {
  if (!delay) return "no delay is known";
  return `half took up to ${duration(delay.p50)}, 99 of 100 up to ${duration(delay.p99)}, the longest ${duration(delay.max)}`;
}

/** A host that may be broken behind its dots, where there is little room. */
function breakable(host) {
  return host.split(/(?<=\.)/).flatMap((part, n) => (n === 0 ? [part] : [el("wbr"), part]));
}

function classes(column) {
  return `of-${column.key}${column.number ? " number" : ""}`;
}

function sentence(found, given, known, word) {
  if (known === 0) return "Nothing was heard from any origin yet.";
  const of = given < known ? `the ${count(given)} busiest of ${counted(known, "origin")}` : counted(known, "origin");
  return word.trim() === "" ? of : `${count(found)} found in ${of}`;
}
