// An account's home in order, beside the same posts by arrival, live and at any patience; and why a post is not in it. The account's own
// home is kept up over a websocket, as its clients do it. A patience that is tried is asked for as a preview, which changes nothing.

import { accountsPage } from "./accounts.js";
import { SHOWN, ShownSoFar, columnsOf } from "./columns.js";
import { el, say } from "./dom.js";
import { patienceControl, waitingList } from "./patience.js";
import { json, token } from "./service.js";
import { Feed } from "./stream.js";
import { tour } from "./tour.js";
import { explanation } from "./why.js";
import { millisOf } from "./words.js";

/** Entries of a preview: the most that the API gives. */
const PREVIEWED = 80;
/** The shortest time between two previews, in milliseconds. */
const PREVIEW_MS_MIN = 150;
/** Handles that are kept: many more than there are authors on a page. */
const HANDLES_MAX = 1_000;
/** How often the times to go are counted down. */
const TICK_MS = 500;

/**
 * @param {string} [account]
 * @returns {import("./app.js").View}
 */
export function feedsPage(account = "") {
  if (account === "") return accountsPage();
  const home = viewer(account);
  const element = el("div", {}, el("p", {}, el("a", { href: "#/feeds" }, "All accounts")), el("h1", {}, `Home of ${account}`), tour(account), home.element, explanation(account, home.entries));
  return { title: `Home of ${account}`, element, look: home.look, update: home.draw, close: home.close };
}

function viewer(account) {
  const path = `/v1/accounts/${encodeURIComponent(account)}/feeds/home`;
  let tried = /** @type {string | null} */ (null);
  let preview = /** @type {import("./patience.js").Preview | null} */ (null);
  let sofar = new ShownSoFar();
  // Handles stay, so that names do not change back while another patience is asked for.
  let handles = /** @type {Record<string, string>} */ ({});
  // How far the service's clock is ahead of this one's.
  let ahead = 0;
  let due = 0;
  let drawDue = 0;
  let asking = /** @type {Promise<void> | null} */ (null);
  let isClosed = false;

  const state = el("p", { class: "live", role: "status" });
  const control = patienceControl(turned, millisOf, state);
  const waiting = waitingList();
  const columns = columnsOf(waiting.element);
  const none = el("p", { hidden: true }, "Nothing is in this home yet.");
  const element = el("div", {}, control.element, none, columns.element);
  const feed = new Feed(path, { token, entriesMax: 200, onchange: changed, onstate: stateIs });
  const tick = setInterval(draw, TICK_MS);

  function turned(patience) {
    tried = patience;
    preview = null;
    sofar = new ShownSoFar();
    draw();
    refresh().catch(() => {});
  }

  function changed() {
    // Many changes at once are drawn, and asked about, once.
    clearTimeout(drawDue);
    drawDue = setTimeout(() => {
      draw();
      refresh().catch(() => {});
    }, 60);
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
    control.isThere(it !== "missing");
    columns.element.hidden = it === "missing";
    if (it !== "reading" || state.textContent === "") say(state, words[it]);
  }

  /** Asks for the feed at the patience that is tried, one question at a time. */
  async function refresh() {
    clearTimeout(due);
    while (asking !== null) await asking.catch(() => {});
    if (isClosed) return;
    const at = tried;
    asking = ask(at).finally(() => (asking = null));
    await asking;
  }

  async function ask(at) {
    const query = new URLSearchParams({ limit: String(at === null ? SHOWN : PREVIEWED) });
    if (at !== null) query.set("patience", at);
    const answer = await json(`${path}/preview?${query}`);
    if (at !== tried || isClosed) return;
    preview = answer;
    handles = { ...handles, ...answer.handles };
    if (HANDLES_MAX < Object.keys(handles).length) handles = answer.handles;
    ahead = Date.parse(answer.now) - Date.now();
    draw();
    const next = answer.waiting[0];
    if (next === undefined || document.hidden) return;
    // At the moment at which the next is shown; what comes before that is heard of by the stream, or the next time all is asked for.
    const wait = Math.max(PREVIEW_MS_MIN, Date.parse(next.shown_at) - Date.parse(answer.now) + 20);
    clearTimeout(due);
    due = setTimeout(() => refresh().catch(() => {}), wait);
  }

  function draw() {
    const now = Date.now() + ahead;
    const isTried = tried !== null;
    const shown = isTried ? (preview?.entries ?? []) : feed.entries;
    const isRead = isTried ? preview !== null : feed.cursor !== null;
    const isWhole = isTried ? shown.length < PREVIEWED : feed.bottom === null;
    if (isRead) sofar.take(shown, isWhole, Date.now());
    const there = new Set(shown.map(({ id }) => id));
    const held = (preview?.waiting ?? []).filter(({ entry }) => !there.has(entry.id));
    control.update(preview, now, sofar, account);
    const day = shown[0]?.published ?? held[0]?.entry.published ?? "";
    if (preview) waiting.update({ ...preview, waiting: held, waiting_count: preview.waiting_count - preview.waiting.length + held.length }, now, day);
    none.hidden = !isRead || 0 < shown.length + held.length || feed.state === "missing";
    if (isRead) columns.draw(shown, held.map(({ entry }) => entry), sofar, handles);
  }

  return {
    element,
    draw,
    /** All entries that are known here. */
    entries: () => [...feed.entries, ...(preview?.entries ?? []), ...(preview?.waiting ?? []).map(({ entry }) => entry)],
    async look() {
      if (feed.state === "stopped" || feed.state === "token") feed.start();
      if (feed.state !== "missing" && feed.cursor !== null) await refresh();
    },
    close() {
      isClosed = true;
      clearTimeout(due);
      clearTimeout(drawDue);
      clearInterval(tick);
      feed.stop();
    },
  };
}
