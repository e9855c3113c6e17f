// An account's home in order, beside the same posts by arrival, live; and why a post is not in it.

import { el, fill, place, say } from "./dom.js";
import { Refused, json, token } from "./service.js";
import { Feed, compareIds } from "./stream.js";
import { clockTime, counted, duration } from "./words.js";

/** Entries in each column. */
const SHOWN = 30;
/** How long a post that has just come is marked as such, in milliseconds. */
const FRESH_MS = 4_000;
/** Characters of a post that are shown. */
const TEXT_MAX = 180;
/** Characters of its HTML that are looked at: more than is ever shown, and little enough for any nesting of marks. */
const HTML_MAX = 8_192;
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", hellip: "…", ndash: "–", mdash: "—" };

/** @typedef {import("./stream.js").Entry} Entry */

/** Whether an entry came later than its origin's window allows for. */
const isLate = (entry) => entry.verdict === "late" || entry.verdict === "too_late";

/**
 * The same entries by arrival, newest first.
 * @param {Entry[]} entries
 * @returns {Entry[]}
 */
export function byArrival(entries) {
  const at = new Map(entries.map((entry) => [entry, Date.parse(entry.arrived)]));
  return [...entries].sort((a, b) => at.get(b) - at.get(a) || compareIds(b.id, a.id));
}

/**
 * How many entries stand above one that was written later: what a reader of this column meets out of order.
 * @param {Entry[]} entries newest first
 */
export function outOfOrder(entries) {
  let newest = "";
  let count = 0;
  for (let n = entries.length - 1; 0 <= n; n -= 1) {
    if (newest !== "" && compareIds(entries[n].id, newest) < 0) count += 1;
    else newest = entries[n].id;
  }
  return count;
}

/**
 * The text of a piece of HTML, as one line. Nothing is given to the browser's parser, which would look at handlers and styles before
 * it throws them away; so entities that are rare stay as they are written.
 * @param {unknown} html
 */
export function textOf(html) {
  if (typeof html !== "string") return "";
  const text = html
    .slice(0, HTML_MAX)
    .replace(/<!--[^]*?(-->|$)/g, "")
    .replace(/<(script|style|template)\b[^]*?(<\/\1\s*>|$)/gi, "")
    .replace(/<(br|\/p|\/li|\/h[1-6])\b/gi, " $&")
    .replace(/<\/?[a-z][^>]*(>|$)/gi, "")
    .replace(/&(#x[0-9a-f]{1,6}|#[0-9]{1,7}|[a-z]{2,6});/gi, (whole, name) => character(name) ?? whole);
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= TEXT_MAX ? line : `${line.slice(0, TEXT_MAX)} …`;
}

function character(name) {
  if (!name.startsWith("#")) return ENTITIES[name.toLowerCase()];
  const code = /^#x/i.test(name) ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
  return code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

/**
 * The name of an author by its URI, as people would write it.
 * @param {string} uri
 */
export function nameOf(uri) {
  const parts = uri.split("/").filter(Boolean);
  const last = (parts.at(-1) ?? uri).replace(/^@/, "");
  return parts.length < 2 ? uri : `${last}@${parts[1]}`;
}

/**
 * @param {string} [account]
 * @returns {import("./app.js").View}
 */
export function feedsPage(account = "") {
  const input = el("input", { id: "account", autocomplete: "off", spellcheck: "false", required: true, value: account });
  const choose = el(
    "form",
    {
      class: "bar-of choose",
      onsubmit: (event) => {
        event.preventDefault();
        location.hash = `#/feeds/${encodeURIComponent(input.value.trim())}`;
      },
    },
    el("label", { for: "account" }, "Account"),
    input,
    el("button", { type: "submit" }, "Show its home"),
  );
  const intro = el("p", { class: "quiet" }, "Name an account by its id, as your server gave it to this service (in the demo: demo).");
  const element = el("div", {}, el("h1", {}, account === "" ? "Feeds" : `Home of ${account}`), choose);
  if (account === "") {
    element.append(intro);
    return { title: "Feeds", element, update() {} };
  }
  const home = viewer(account);
  element.append(home.element, explanation(account));
  return { title: `Home of ${account}`, element, look: home.look, update: home.update, close: home.close };
}

function viewer(account) {
  const path = `/v1/accounts/${encodeURIComponent(account)}`;
  const came = new Map();
  const rows = { order: new Map(), arrival: new Map() };
  let waits = "";
  let due = 0;

  const state = el("p", { class: "live", role: "status" });
  const ordering = el("p", { class: "quiet" });
  const columns = ["arrival", "order"].map((kind) => {
    const name = kind === "order" ? "In order" : "By arrival";
    const about = el("p", { class: "quiet" });
    const list = el("ol", { class: "posts", "data-column": kind });
    return { kind, about, list, element: el("section", { class: "sheet", "aria-labelledby": kind }, el("h2", { id: kind }, name), about, list) };
  });
  const none = el("p", { hidden: true }, "Nothing is in this home yet.");
  const both = el("div", { class: "columns" }, ...columns.map((it) => it.element));
  const element = el("div", {}, state, ordering, none, both);

  const feed = new Feed(`${path}/feeds/home`, { token, entriesMax: 200, onchange: changed, onstate: stateIs });

  function changed({ kind, id, behind }) {
    if (kind === "post") came.set(id, { at: Date.now(), behind });
    clearTimeout(due);
    // Many changes at once are drawn once.
    due = setTimeout(draw, 60);
  }

  function stateIs(it, why) {
    const words = {
      reading: "Reading …",
      live: "Live: what happens is shown as it happens.",
      waiting: `Not connected: ${why}. It is tried again by itself.`,
      token: `Not connected: ${why}.`,
      missing: `There is no such home: ${why}.`,
      stopped: "",
    };
    element.dataset.state = it;
    both.hidden = it === "missing";
    if (it !== "reading" || state.textContent === "") say(state, words[it]);
  }

  function draw() {
    const order = feed.entries.slice(0, SHOWN);
    const arrival = byArrival(order);
    none.hidden = 0 < order.length || feed.state === "missing";
    both.hidden = order.length === 0;
    for (const column of columns) {
      const entries = column.kind === "order" ? order : arrival;
      const other = column.kind === "order" ? arrival : order;
      const day = order[0]?.published ?? "";
      place(column.list, entries.map((entry, n) => row(column.kind, entry, other.indexOf(entry) - n, day)));
      const wrong = outOfOrder(entries);
      const counts = `${counted(wrong, "post")} of ${entries.length} above one written later.`;
      say(column.about, column.kind === "order" ? `By when they were written: ${counts}` : `As most servers show them: ${counts}`);
    }
    for (const kind of ["order", "arrival"]) {
      const there = new Set(order.map((entry) => entry.id));
      for (const id of rows[kind].keys()) if (!there.has(id)) rows[kind].delete(id);
    }
  }

  /** A row, made once and then kept up. Times of the day of the newest entry are shown without it. */
  function row(kind, entry, moved, day) {
    const known = rows[kind].get(entry.id);
    const mark = came.get(entry.id);
    const isFresh = mark !== undefined && Date.now() - mark.at < FRESH_MS;
    const written = JSON.stringify([entry.edited, entry.arrived, moved, mark?.behind, day.slice(0, 10)]);
    if (known?.written === written) {
      known.element.classList.toggle("fresh", isFresh);
      return known.element;
    }
    const shown = known?.element ?? el("li", { "data-uri": entry.uri, onpointerenter: point, onpointerleave: point });
    shown.className = [isLate(entry) && "is-late", isFresh && "fresh"].filter(Boolean).join(" ");
    const post = entry.boost ?? entry;
    const object = post.object ?? {};
    const text = [object.summary, object.name, object.content].map(textOf).filter(Boolean).join(": ");
    fill(
      shown,
      el("p", { class: "head" },
        el("time", { datetime: entry.published }, clockTime(entry.published, Date.parse(day))),
        el("strong", {}, nameOf(entry.author)),
        entry.boost && el("span", { class: "quiet" }, `boosts ${nameOf(post.author ?? "")}`),
        isLate(entry) && el("span", { class: "badge late-mark" }, `${entry.verdict === "late" ? "late" : "too late"}: it took ${duration(entry.delay_ms ?? 0)}`),
        mark?.behind && kind === "order" && el("span", { class: "badge" }, "came below what was shown"),
        kind === "arrival" && 0 < moved && el("span", { class: "quiet" }, `belongs ${counted(moved, "place")} further down`)),
      el("p", { class: "text" }, text || el("span", { class: "quiet" }, "(no text)")),
    );
    rows[kind].set(entry.id, { element: shown, written });
    return shown;
  }

  /** The same post in the other column is marked too. */
  function point({ type, currentTarget }) {
    const isOn = type === "pointerenter";
    for (const kind of ["order", "arrival"]) {
      for (const { element: it } of rows[kind].values()) {
        it.classList.toggle("pointed", isOn && it.dataset.uri === currentTarget.dataset.uri);
      }
    }
  }

  return {
    element,
    async look() {
      if (feed.state === "stopped" || feed.state === "token") feed.start();
      if (feed.state === "missing") return;
      try {
        const it = await json(`${path}/ordering`);
        const by = it.held_by.map(({ origin, wait }) => `${origin} (${wait})`).join(", ");
        const hold = it.hold === "0s" ? "nothing is held back" : `held back for ${it.hold}${by === "" ? "" : `, for ${by}`}`;
        waits = `Patience ${it.patience}: ${hold}.`;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        waits = "";
      }
    },
    update({ now }) {
      say(ordering, waits);
      for (const [id, { at }] of came) if (FRESH_MS * 8 < now - at && !feed.entries.some((entry) => entry.id === id)) came.delete(id);
      draw();
    },
    close() {
      clearTimeout(due);
      feed.stop();
    },
  };
}

/** Asks why a post is in the account's feeds, or is not. */
function explanation(account) {
  const input = el("input", { id: "uri", type: "text", inputmode: "url", autocomplete: "off", spellcheck: "false", required: true, placeholder: "https://…" });
  const answer = el("div", { class: "answer", role: "status" });
  const form = el("form", { class: "together", onsubmit: ask }, input, el("button", { type: "submit" }, "Ask why"));
  const element = el(
    "section",
    { class: "sheet", "aria-labelledby": "why" },
    el("h2", { id: "why" }, "Why is a post here, or not?"),
    el("label", { for: "uri" }, "The id of the post: the URI that its own server gives it"),
    form,
    answer,
  );

  async function ask(event) {
    event.preventDefault();
    try {
      const post = await json(`/v1/posts?uri=${encodeURIComponent(input.value.trim())}&explain_for=${encodeURIComponent(account)}`);
      const { feeds, mastodon } = post.explained;
      const delay = post.delay_ms === null ? "" : `, ${duration(post.delay_ms)} after it was written`;
      fill(
        answer,
        el("p", {}, `By ${nameOf(post.author)}, written ${clockTime(post.published, Date.now())}; it arrived ${clockTime(post.arrived, Date.now())}${delay}: ${post.verdict.replaceAll("_", " ")}.`),
        el("ul", {}, ...feeds.map(({ feed, shows, why }) => el("li", { class: shows ? "yes" : "no" }, el("strong", {}, `${feed}: ${shows ? "it is there" : "it is not there"}`), ` (${why})`))),
        mastodon && el("p", {}, `Clients of Mastodon’s API do not see it: ${mastodon}`),
      );
    } catch (error) {
      fill(answer, el("p", {}, `${error.message}.`));
    }
  }

  return element;
}
