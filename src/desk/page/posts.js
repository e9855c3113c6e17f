// Posts as the feed viewer shows them: in which order, under which names, with which text. Functions of their arguments.

import { compareIds } from "./stream.js";

/** Characters of a post that are shown. */
const TEXT_MAX = 180;
/** Characters of its HTML that are looked at: more than is ever shown, and little enough for any nesting of marks. */
const HTML_MAX = 8_192;
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", hellip: "…", ndash: "–", mdash: "—" };

/** @typedef {import("./stream.js").Entry} Entry */

/**
 * Whether an entry came later than its origin's window allows for.
 * @param {Entry} entry
 */
export const isLate = (entry) => entry.verdict === "late" || entry.verdict === "too_late";

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
 * The name of an author: the handle, where it is known.
 * @param {string} uri
 * @param {Record<string, string>} handles by actor id
 */
export function nameIn(uri, handles) {
  return Object.hasOwn(handles, uri) ? handles[uri] : nameOf(uri);
}

/**
 * What an entry says, as one line; empty if it says nothing in words.
 * @param {Entry} entry
 */
export function textOfEntry(entry) {
  const object = (entry.boost ?? entry).object ?? {};
  return [object.summary, object.name, object.content].map(textOf).filter(Boolean).join(": ");
}
