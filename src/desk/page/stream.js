// A copy of one of Slackwater's feeds that keeps itself up: a page first, then every change over a websocket. It comes back by
// itself after whatever ends the connection, and misses nothing. No dependencies; works in browsers, and in Node.js from 22 on.
// To be copied by whoever needs it, under the licence of Slackwater (Apache 2.0 or MIT).
//
//     const feed = new Feed("/v1/accounts/7/feeds/home", { token: () => "…", onchange: () => draw(feed.entries) });
//     feed.start();
//
// Every connection begins the same way: the newest page if there is no cursor, else all changes since the cursor by `/changes`; then
// the websocket from there. So what a handshake refuses, which a browser does not show, is an answer with a status here.

/** Entries of the page that a copy begins with: the most that the API gives. */
const PAGE = 80;
/** The first wait before the next attempt, the longest, in milliseconds. Each is twice the one before, less a random part of half. */
const WAIT_MS = /** @type {const} */ ([500, 30_000]);
/** What a subprotocol of a websocket may be made of (RFC 9110, 5.6.2). A token of other characters goes into the address. */
const SUBPROTOCOL = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * @typedef {{ id: string, uri: string, author: string, origin: string, published: string, arrived: string, delay_ms: number | null,
 *   verdict: string, object: any, boost: any, edited: string | null }} Entry as schemas/entry.schema.json says
 * @typedef {"reading" | "live" | "waiting" | "token" | "missing" | "stopped"} State `waiting`: the connection ended, the next
 *   attempt comes by itself. `token`: the token is none, or has ended; `start` again with another. `missing`: there is no such feed.
 * @typedef {{
 *   base?: string,
 *   token?: () => string | null,
 *   entriesMax?: number,
 *   onchange?: (change: { kind: "read" | "post" | "edit" | "remove" | "floor" | "horizon", id?: string, behind?: boolean }) => void,
 *   onstate?: (state: State, why: string) => void,
 * }} Options `base` is where the service is, of the page itself if left out. `token` is asked for before each connection. A copy
 *   has `entriesMax` entries at most (200): the lowest go.
 */

/** A copy of a feed. */
export class Feed {
  /** The newest first. Their ids, which are decimal text, fall. @type {Entry[]} */
  entries = [];
  /** Up to when the feed is shown; null if all of it is. @type {string | null} */
  horizon = null;
  /** @type {State} */
  state = "stopped";

  /**
   * @param {string} path of the feed, such as `/v1/accounts/7/feeds/home`
   * @param {Options} [options]
   */
  constructor(path, options = {}) {
    this.path = path;
    this.options = { base: globalThis.location?.origin, token: () => null, entriesMax: 200, onchange() {}, onstate() {}, ...options };
    /** Where this copy stands. Opaque. @type {string | null} */
    this.cursor = null;
    /** Below this id the feed goes on and this copy does not; null if it has all. @type {string | null} */
    this.bottom = null;
    this.attempts = 0;
    this.ended = new AbortController();
  }

  /** Begins, or goes on after `stop`, `token` or `missing`. */
  start() {
    this.stop();
    this.ended = new AbortController();
    this.attempts = 0;
    this.#run(this.ended.signal);
  }

  /** Ends the connection. The copy and its cursor stay. */
  stop() {
    this.ended.abort();
    this.#become("stopped", "");
  }

  async #run(ended) {
    while (!ended.aborted) {
      let outcome;
      try {
        this.#become("reading", "");
        await this.#catchUp(ended);
        outcome = await this.#watch(ended);
      } catch (error) {
        outcome = error instanceof Answer ? error : new Answer(0, String(error), 0);
      }
      if (ended.aborted) return;
      const { status, detail } = outcome;
      if (status === 401 || status === 403) return this.#become("token", detail);
      if (status === 404) return this.#become("missing", detail);
      // The cursor cannot be served any more, or is none: read anew.
      if (status === 410 || status === 400) {
        if (this.cursor === null) return this.#become("missing", detail);
        this.cursor = null;
      }
      this.#become("waiting", detail);
      await slept(Math.max(outcome.retryAfterMs, this.#wait()), ended);
    }
  }

  /** A page if there is no cursor, else everything since. */
  async #catchUp(ended) {
    if (this.cursor === null) {
      const { body: page, link } = await this.#get(`?limit=${PAGE}`, ended);
      this.entries = page.entries;
      this.cursor = page.cursor;
      this.horizon = page.horizon;
      // A page that is not full may still be short: whether there is more below says its `Link` alone.
      this.bottom = link.includes('rel="next"') ? (page.entries.at(-1)?.id ?? null) : null;
      this.options.onchange({ kind: "read" });
      return;
    }
    for (let more = true; more; ) {
      const { body: told } = await this.#get(`/changes?cursor=${encodeURIComponent(this.cursor)}&limit=${PAGE}`, ended);
      for (const change of told.changes) this.#apply(change);
      this.#drop(told.floor);
      this.cursor = told.cursor;
      more = told.more;
    }
  }

  /** Takes messages until the connection ends; says how it did, as an answer over HTTP would. */
  #watch(ended) {
    const url = new URL(`${this.options.base}${this.path}/stream`);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("cursor", this.cursor);
    const token = this.options.token();
    const isProtocol = token !== null && SUBPROTOCOL.test(token);
    if (token && !isProtocol) url.searchParams.set("access_token", token);
    const socket = isProtocol ? new WebSocket(url, [token]) : new WebSocket(url);
    // One that is still connecting is closed once it is open: browsers call it a failure before.
    const close = () => (socket.readyState === 0 ? (socket.onopen = () => socket.close()) : socket.close());
    ended.addEventListener("abort", close, { once: true });
    return new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        if (ended.aborted) return;
        this.#take(JSON.parse(data));
      };
      socket.onclose = ({ code, reason }) => {
        const why = reason || `the stream was closed with ${code}`;
        // 4401: the token has ended. 4410: read anew. All else (1012, 1013, 1006): come back with the cursor.
        resolve(new Answer(code === 4401 ? 401 : code === 4410 ? 410 : 0, why, 0));
      };
    });
  }

  #take(message) {
    if (message.kind === "hello" || message.kind === "horizon") {
      this.attempts = 0;
      this.horizon = message.horizon;
      this.#become("live", "");
    }
    if (["post", "edit", "remove"].includes(message.kind)) this.#apply(message);
    if (message.floor !== undefined) this.#drop(message.floor);
    // After what it says has been done: a copy never claims more than it has.
    if (message.cursor !== undefined) this.cursor = message.cursor;
    if (message.kind === "horizon") this.options.onchange({ kind: "horizon" });
  }

  #apply({ kind, id, entry, behind }) {
    if (this.bottom !== null && compareIds(id, this.bottom) < 0) return;
    const found = this.entries.findIndex((known) => compareIds(known.id, id) <= 0);
    const index = found === -1 ? this.entries.length : found;
    const isThere = this.entries[index]?.id === id;
    // An edit of an entry that is not there changes nothing: it was removed, or dropped at the floor.
    if (!isThere && kind !== "post") return;
    this.entries.splice(index, isThere ? 1 : 0, ...(kind === "remove" ? [] : [entry]));
    const over = this.entries.length - this.options.entriesMax;
    if (0 < over) {
      this.entries.splice(-over);
      this.bottom = this.entries.at(-1)?.id ?? null;
    }
    this.options.onchange({ kind, id, behind });
  }

  #drop(floor) {
    const kept = this.entries.filter((entry) => 0 < compareIds(entry.id, floor));
    if (kept.length === this.entries.length) return;
    this.entries = kept;
    this.options.onchange({ kind: "floor" });
  }

  async #get(rest, ended) {
    const token = this.options.token();
    const answer = await fetch(`${this.options.base}${this.path}${rest}`, {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      signal: ended,
      cache: "no-store",
    });
    const body = await answer.json().catch(() => null);
    if (answer.ok && body !== null) return { body, link: answer.headers.get("link") ?? "" };
    const seconds = Number(answer.headers.get("retry-after") ?? 0);
    throw new Answer(answer.status, body?.detail ?? `${this.path} answers ${answer.status}`, seconds * 1000);
  }

  #wait() {
    const [least, most] = WAIT_MS;
    const ms = Math.min(most, least * 2 ** this.attempts);
    this.attempts += 1;
    return ms / 2 + (Math.random() * ms) / 2;
  }

  #become(state, why) {
    if (this.state === state && why === "") return;
    this.state = state;
    this.options.onstate(state, why);
  }
}

/**
 * Compares two ids as numbers: they are decimal text without zeros before it, and too large for a Number.
 * @param {string} a
 * @param {string} b
 */
export function compareIds(a, b) {
  if (a.length !== b.length) return a.length - b.length;
  return a === b ? 0 : a < b ? -1 : 1;
}

/** Why nothing came, or no more comes: a status of HTTP, or 0. */
class Answer {
  constructor(status, detail, retryAfterMs) {
    this.status = status;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }
}

function slept(ms, ended) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    ended.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });
}
