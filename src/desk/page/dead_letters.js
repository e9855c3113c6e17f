// Records that could not be used: why, where they stood, and the record itself. What stands in them is from anybody, so it is shown as
// text and nothing else.

import { el, fill, say } from "./dom.js";
import { total } from "./metrics.js";
import { Refused, json } from "./service.js";
import { clockTime, counted, size } from "./words.js";

/** Letters of a page. */
const ROWS = 20;
/** Characters of a record that are shown before somebody unfolds it. */
const SHORT_MAX = 600;

/**
 * @typedef {{ encoding: "text" | "base64", data: string, bytes: number, cut: boolean }} Bytes
 * @typedef {{ id: string, reason: string | null, topic: string | null, partition: number | null, offset: number | null,
 *   received: string | null, set_aside: string | null, key: Bytes | null, headers: { name: string, value: Bytes }[],
 *   headers_left_out: number, value: Bytes | null }} Letter as schemas/dead-letters.schema.json says
 */

/**
 * Where a record stood, in words.
 * @param {Letter} letter
 */
export function positionInWords({ topic, partition, offset }) {
  if (topic === null) return "it is not known where it stood";
  const within = partition === null ? "" : `, partition ${partition}`;
  return `${topic}${within}${offset === null ? "" : `, offset ${offset}`}`;
}

/**
 * Text as it is; with its lines set apart if it is JSON of which nothing changes by that: no number that is too long, no key that is
 * there twice, no other way to write a letter.
 * @param {Bytes} bytes
 */
export function readable({ encoding, data, cut }) {
  if (encoding !== "text" || cut) return data;
  try {
    const parsed = JSON.parse(data);
    return JSON.stringify(parsed) === data ? JSON.stringify(parsed, null, 2) : data;
  } catch {
    return data;
  }
}

/** @returns {import("./app.js").View} */
export function deadLettersPage() {
  // What the answers before each of those that were turned to were asked with.
  let befores = /** @type {string[]} */ ([]);
  let page = /** @type {{ dead_letters: Letter[], before: string | null } | null} */ (null);
  let refused = "";
  let asked = 0;
  let now = 0;
  // How many were set aside since the service started, and for what the service was asked last.
  let count = -1;
  let looked = "";
  const rows = new Map();

  const note = el("p", { class: "found", role: "status" });
  const list = el("ol", { class: "letters" });
  const back = el("button", { type: "button", onclick: () => turn(-1) }, "Newer");
  const on = el("button", { type: "button", onclick: () => turn(1) }, "Older");
  const where = el("span");
  const pages = el("nav", { class: "turn", "aria-label": "Pages of dead letters", hidden: true }, back, where, on);
  const element = el(
    "div",
    {},
    el("h1", {}, "Dead letters"),
    el("p", { class: "quiet" }, "Records of the log that could not be used, newest first. Nothing else waits for them: they are set aside with their reason, as they came."),
    note,
    list,
    pages,
  );

  function turn(by) {
    if (by < 0) befores.pop();
    else if (page?.before) befores.push(page.before);
    look().then(draw, () => {});
  }

  // Letters are read from the log, which is asked again only if there may be other ones.
  async function lookIfNew() {
    const known = `${count} ${befores.at(-1) ?? ""}`;
    if (page !== null && refused === "" && known === looked) return;
    await look();
    looked = known;
  }

  async function look() {
    const turnOf = ++asked;
    const before = befores.at(-1);
    try {
      const answer = await json(`/v1/dead-letters?limit=${ROWS}${before === undefined ? "" : `&before=${encodeURIComponent(before)}`}`);
      // A later question is being answered.
      if (turnOf !== asked) return;
      page = answer;
      refused = "";
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refused = `${error.message}.`;
    }
  }

  function draw() {
    if (refused !== "") say(note, refused);
    if (page === null) return;
    const letters = page.dead_letters;
    if (refused === "") say(note, letters.length > 0 ? "" : befores.length === 0 ? "There are none: every record could be used." : "There are no older ones.");
    const there = new Set(letters.map(({ id }) => id));
    for (const id of rows.keys()) if (!there.has(id)) rows.delete(id);
    const wanted = letters.map((letter) => row(letter));
    // A record never changes: rows that are there stay, with what is unfolded in them.
    if (wanted.length !== list.children.length || wanted.some((it, n) => it !== list.children[n])) fill(list, ...wanted);
    pages.hidden = befores.length === 0 && page.before === null;
    back.disabled = befores.length === 0;
    on.disabled = page.before === null;
    say(where, `page ${befores.length + 1}`);
  }

  function row(letter) {
    const known = rows.get(letter.id) ?? newRow(letter);
    rows.set(letter.id, known);
    const at = letter.set_aside ?? letter.received;
    // Not how long ago: what changes all the time would move the page under somebody's hands.
    say(known.when, at === null ? "" : `${clockTime(at, now)} UTC`);
    return known.element;
  }

  return {
    title: "Dead letters",
    element,
    look: lookIfNew,
    update(seen) {
      now = seen.now;
      if (seen.samples) count = total(seen.samples, "slackwater_dead_letters_total");
      draw();
    },
  };
}

function newRow(letter) {
  const { id, reason, key, headers, headers_left_out: leftOut, value } = letter;
  const when = el("span", { class: "quiet" });
  const more = [
    key !== null && ["Key", key],
    ...headers.map(({ name, value: of }) => [name, of]),
  ].filter(Boolean);
  const element = el(
    "li",
    { class: "sheet", "data-letter": id },
    el("p", { class: "head" }, el("strong", { class: "reason" }, reason ?? "no reason is known"), when),
    el("p", { class: "quiet small" }, positionInWords(letter), ` (letter ${id})`),
    0 < more.length && el("dl", { class: "headers" }, ...more.flatMap(([name, of]) => [el("dt", {}, name), el("dd", {}, of.encoding === "text" ? of.data : `${of.data} (Base64)`, of.cut && " …")])),
    0 < leftOut && el("p", { class: "quiet small" }, `and ${counted(leftOut, "header")} more`),
    record(value, id),
  );
  return { element, when };
}

function record(value, id) {
  if (value === null) return el("p", { class: "quiet" }, "The record has no value.");
  const text = readable(value);
  const isShort = text.length <= SHORT_MAX && !value.cut;
  const about = `${size(value.bytes)}${value.encoding === "text" ? "" : ", not UTF-8: shown in Base64"}${value.cut ? `, of which the first ${size(16 * 1024)} are shown` : ""}`;
  const shown = (what, label) => el("pre", { class: "record", tabindex: 0, role: "region", "aria-label": label }, what);
  if (isShort) return el("div", {}, el("p", { class: "quiet small" }, `The record: ${about}`), shown(text, `Record of letter ${id}`));
  return el("details", {}, el("summary", {}, `The record: ${about}`), shown(text, `Record of letter ${id}`));
}
