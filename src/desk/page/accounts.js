// The accounts to pick from: searched by the service, a page at a time.

import { el, fill, say } from "./dom.js";
import { nameOf } from "./posts.js";
import { json } from "./service.js";
import { counted, durationOf } from "./words.js";

/** Accounts of a page. */
const ROWS = 12;
/** How long nobody types before the service is asked. */
const QUIET_MS = 200;

/** @typedef {{ account: string, actor: string | null, patience: string, follows: number }} Account */

/**
 * Where an account's home is shown.
 * @param {string} account
 */
export function linkToHome(account) {
  return `#/feeds/${encodeURIComponent(account)}`;
}

/** The view that picks an account. */
export function accountsPage() {
  // What the page before each of those that were turned to ended with.
  let befores = /** @type {string[]} */ ([]);
  let next = /** @type {string | null} */ (null);
  let word = "";
  let due = 0;
  let asked = 0;

  const input = el("input", { id: "account", type: "search", autocomplete: "off", spellcheck: "false", oninput: typed });
  const form = el("form", { class: "bar-of choose", onsubmit: chosen }, el("label", { for: "account" }, "Account"), input, el("button", { type: "submit" }, "Show its home"));
  const found = el("p", { class: "found", role: "status" });
  const list = el("ul", { class: "accounts" });
  const back = el("button", { type: "button", onclick: () => turn(-1) }, "Back");
  const on = el("button", { type: "button", onclick: () => turn(1) }, "Next");
  const pages = el("nav", { class: "turn", "aria-label": "Pages of accounts", hidden: true }, back, on);
  const element = el(
    "div",
    {},
    el("h1", {}, "Feeds"),
    el("p", { class: "quiet" }, "Pick an account: its home is shown in order beside the same posts by arrival, at any patience. Find it by its id or by its name."),
    form,
    found,
    list,
    pages,
  );

  function typed() {
    clearTimeout(due);
    due = setTimeout(() => {
      word = input.value.trim();
      befores = [];
      look().catch(() => {});
    }, QUIET_MS);
  }

  function chosen(event) {
    event.preventDefault();
    // The one that is found, however little of it was typed; else what was typed is its id.
    const typedIn = input.value.trim();
    const links = [...list.querySelectorAll("a")];
    const isListed = word === typedIn && links.length === 1;
    if (typedIn !== "") location.hash = isListed ? links[0].getAttribute("href") : linkToHome(typedIn);
  }

  function turn(by) {
    if (by < 0) befores.pop();
    else if (next !== null) befores.push(next);
    look().catch(() => {});
  }

  async function look() {
    const turnOf = ++asked;
    const query = new URLSearchParams({ limit: String(ROWS) });
    if (word !== "") query.set("find", word);
    const after = befores.at(-1);
    if (after !== undefined) query.set("after", after);
    const page = await json(`/v1/accounts?${query}`);
    // A later question is being answered.
    if (turnOf !== asked) return;
    next = page.next;
    draw(page.accounts);
  }

  /** @param {Account[]} accounts */
  function draw(accounts) {
    const drawn = JSON.stringify(accounts);
    const none = word === "" ? "No account is known yet. Send its document to /v1/relationships." : `No account is named like ${word}.`;
    say(found, accounts.length === 0 ? none : "");
    if (list.dataset.drawn !== drawn) {
      list.dataset.drawn = drawn;
      const focused = document.activeElement?.getAttribute("href");
      fill(list, ...accounts.map(row));
      for (const link of list.querySelectorAll("a")) if (link.getAttribute("href") === focused) link.focus();
    }
    pages.hidden = befores.length === 0 && next === null;
    back.disabled = befores.length === 0;
    on.disabled = next === null;
  }

  /** @param {Account} it */
  function row({ account, actor, patience, follows }) {
    const waits = patience === "0s" ? "no patience" : `patience ${durationOf(patience)}`;
    return el("li", {}, el("a", { href: linkToHome(account) }, account), el("span", {}, actor === null ? "" : nameOf(actor)), el("span", { class: "quiet" }, `${waits}, ${counted(follows, "follow")}`));
  }

  return { title: "Feeds", element, look, update() {}, close: () => clearTimeout(due) };
}
