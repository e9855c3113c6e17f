// The page's client of streams, before a service that is played here: drops, kills, too slow, reset, a token that ends.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ShownSoFar } from "../../src/desk/page/columns.js";
import { positionInWords, readable } from "../../src/desk/page/dead_letters.js";
import { STOPS, stopOf, waitInWords } from "../../src/desk/page/patience.js";
import { byArrival, nameOf, outOfOrder, textOf } from "../../src/desk/page/posts.js";
import { Feed, compareIds } from "../../src/desk/page/stream.js";
import { idsOf } from "../../src/desk/page/why.js";
import { millisOf } from "../../src/desk/page/words.js";

const real = { fetch: globalThis.fetch, WebSocket: globalThis.WebSocket };
let feed;
afterEach(() => {
  feed?.stop();
  Object.assign(globalThis, real);
});

const entry = (id, more = {}) => ({ id: String(id), uri: `https://a.example/${id}`, ...more });
const ids = () => feed.entries.map((it) => Number(it.id));

/** A service: `answers` are given to requests in turn, and sockets are kept as they are opened. */
function played(answers) {
  const service = { asked: [], sockets: [], at: [] };
  globalThis.fetch = async (url, { headers }) => {
    service.asked.push([url.replace("http://s.example/v1/feeds/public", ""), headers.authorization]);
    service.at.push(performance.now());
    const { status = 200, body, link = "", retryAfter } = answers.shift() ?? { status: 503, body: {} };
    const sent = new Headers({ link, ...(retryAfter ? { "retry-after": retryAfter } : {}) });
    return { status, ok: status < 400, headers: sent, json: async () => body };
  };
  globalThis.WebSocket = class {
    constructor(url, protocols) {
      Object.assign(this, { url: String(url), protocols, closed: false });
      service.sockets.push(this);
    }
    close() {
      this.closed = true;
    }
    tell(message) {
      this.onmessage({ data: JSON.stringify(message) });
    }
    end(code) {
      this.onclose({ code, reason: "" });
    }
  };
  return service;
}

async function until(what, look) {
  for (let n = 0; n < 500; n += 1) {
    if (look()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`in vain: ${what}`);
}

function begin(options = {}) {
  const states = [];
  const changes = [];
  feed = new Feed("/v1/feeds/public", {
    base: "http://s.example",
    onstate: (state) => states.push(state),
    onchange: (change) => changes.push(change),
    ...options,
  });
  feed.start();
  return { states, changes };
}

const page = (...entries) => ({ body: { entries, horizon: null, cursor: "page" } });

test("ids are compared as the numbers they are", () => {
  const sorted = ["9", "10", "117659507097613120", "117659507097613121"];
  assert.deepEqual([...sorted].reverse().sort(compareIds), sorted);
  assert.equal(compareIds("10", "10"), 0);
});

test("changes are put where their ids say, and what one does not have stays away", async () => {
  const service = played([page(entry(50), entry(30))]);
  const { changes } = begin();
  await until("a socket", () => service.sockets.length === 1);
  const [socket] = service.sockets;
  assert.match(socket.url, /^ws:\/\/s\.example\/v1\/feeds\/public\/stream\?cursor=page$/);
  socket.tell({ kind: "hello", cursor: "hello", horizon: null, floor: "0" });
  assert.equal(feed.state, "live");
  socket.tell({ kind: "post", behind: true, id: "40", entry: entry(40), cursor: "a" });
  socket.tell({ kind: "post", behind: false, id: "60", entry: entry(60), cursor: "b" });
  socket.tell({ kind: "post", behind: true, id: "10", entry: entry(10), cursor: "c" });
  assert.deepEqual(ids(), [60, 50, 40, 30, 10]);
  assert.deepEqual(changes.at(-3), { kind: "post", id: "40", behind: true });
  socket.tell({ kind: "post", behind: false, id: "60", entry: entry(60), cursor: "d" });
  assert.deepEqual(ids(), [60, 50, 40, 30, 10], "sent twice, there once");
  socket.tell({ kind: "edit", behind: false, id: "40", entry: entry(40, { edited: "now" }), cursor: "e" });
  assert.equal(feed.entries[2].edited, "now");
  socket.tell({ kind: "edit", behind: false, id: "45", entry: entry(45), cursor: "f" });
  socket.tell({ kind: "remove", behind: false, id: "50", entry: null, cursor: "g" });
  socket.tell({ kind: "remove", behind: false, id: "55", entry: null, cursor: "h" });
  assert.deepEqual(ids(), [60, 40, 30, 10]);
  socket.tell({ kind: "horizon", cursor: "i", horizon: "2026-11-22T10:00:00Z", floor: "30" });
  assert.deepEqual(ids(), [60, 40], "at or below the floor nothing is left");
  assert.deepEqual([feed.cursor, feed.horizon], ["i", "2026-11-22T10:00:00Z"]);
});

test("what goes below the part that was read is not shown as if nothing were between", async () => {
  const service = played([{ ...page(entry(50), entry(30)), link: '<x>; rel="next", <y>; rel="prev"' }]);
  begin({ entriesMax: 3 });
  await until("a socket", () => service.sockets.length === 1);
  const [socket] = service.sockets;
  socket.tell({ kind: "post", behind: true, id: "10", entry: entry(10), cursor: "a" });
  assert.deepEqual(ids(), [50, 30]);
  for (const id of [60, 70]) socket.tell({ kind: "post", behind: false, id: String(id), entry: entry(id), cursor: "b" });
  assert.deepEqual(ids(), [70, 60, 50], "no more than asked for");
  socket.tell({ kind: "post", behind: true, id: "40", entry: entry(40), cursor: "c" });
  assert.deepEqual(ids(), [70, 60, 50], "and nothing below what was let go");
});

test("after a connection that broke off everything since is asked for, from the last cursor", async () => {
  const changed = { changes: [{ kind: "post", behind: false, id: "70", entry: entry(70) }], floor: "0", cursor: "more", more: true };
  const rest = { changes: [{ kind: "post", behind: true, id: "55", entry: entry(55) }], floor: "50", cursor: "all", more: false };
  const service = played([page(entry(50)), { body: changed }, { body: rest }]);
  const { states } = begin();
  await until("a socket", () => service.sockets.length === 1);
  service.sockets[0].tell({ kind: "hello", cursor: "hello", horizon: null, floor: "0" });
  service.sockets[0].tell({ kind: "post", behind: false, id: "60", entry: entry(60), cursor: "sixty", floor: "0" });
  service.sockets[0].end(1006);
  await until("another socket", () => service.sockets.length === 2);
  assert.deepEqual(ids(), [70, 60, 55]);
  assert.deepEqual(service.asked.map(([path]) => path), ["?limit=80", "/changes?cursor=sixty&limit=80", "/changes?cursor=more&limit=80"]);
  assert.match(service.sockets[1].url, /cursor=all$/);
  assert.deepEqual(states, ["reading", "live", "waiting", "reading"]);
});

test("too slow means to come back with the cursor of that message", async () => {
  const service = played([page(entry(50)), { body: { changes: [], floor: "0", cursor: "there", more: false } }]);
  begin();
  await until("a socket", () => service.sockets.length === 1);
  service.sockets[0].tell({ kind: "too_slow", cursor: "slow" });
  service.sockets[0].end(1013);
  await until("another socket", () => service.sockets.length === 2);
  assert.equal(service.asked[1][0], "/changes?cursor=slow&limit=80");
});

test("a cursor that cannot be served any more means to read anew, over either way", async () => {
  for (const refused of ["stream", "changes"]) {
    const gone = { status: 410, body: { detail: "read the feed anew" } };
    const service = played([page(entry(50)), ...(refused === "changes" ? [gone] : []), page(entry(90), entry(80))]);
    begin();
    await until("a socket", () => service.sockets.length === 1);
    service.sockets[0].end(refused === "stream" ? 4410 : 1006);
    await until("another socket", () => service.sockets.length === 2);
    assert.deepEqual(ids(), [90, 80], refused);
    assert.equal(service.asked.at(-1)[0], "?limit=80");
    feed.stop();
  }
});

test("a token that has ended is said to be so, and the copy goes on with another", async () => {
  let token = "first";
  const service = played([page(entry(50)), { body: { changes: [], floor: "0", cursor: "there", more: false } }]);
  const { states } = begin({ token: () => token });
  await until("a socket", () => service.sockets.length === 1);
  assert.deepEqual(service.sockets[0].protocols, ["first"]);
  assert.equal(service.sockets[0].url.includes("first"), false, "not in an address");
  service.sockets[0].end(4401);
  await until("the end of the token", () => feed.state === "token");
  assert.equal(service.asked.length, 1, "nothing is asked with it");
  // Of characters that no subprotocol may have.
  token = "se/cond=";
  feed.start();
  await until("another socket", () => service.sockets.length === 2);
  assert.deepEqual(service.asked[1], ["/changes?cursor=page&limit=80", "Bearer se/cond="]);
  assert.match(service.sockets[1].url, /access_token=se%2Fcond%3D/);
  assert.deepEqual(ids(), [50]);
  assert.ok(states.includes("token"));
});

test("a service that is busy is left alone for as long as it says", async () => {
  const service = played([{ status: 503, body: { detail: "busy" }, retryAfter: "1" }, page(entry(50))]);
  begin();
  await until("a socket", () => service.sockets.length === 1);
  assert.ok(1_000 <= service.at[1] - service.at[0] + 1, String(service.at));
});

test("a feed that is not there is asked for once", async () => {
  const service = played([{ status: 404, body: { detail: "no account 8" } }]);
  begin();
  await until("an answer", () => feed.state === "missing");
  assert.equal(service.asked.length, 1);
});

test("once stopped, it takes nothing more and asks for nothing", async (t) => {
  const service = played([page(entry(50))]);
  begin();
  await until("a socket", () => service.sockets.length === 1);
  // Whatever it would do later, it does at once.
  t.mock.timers.enable({ apis: ["setTimeout"] });
  feed.stop();
  assert.ok(service.sockets[0].closed);
  service.sockets[0].tell({ kind: "post", behind: false, id: "60", entry: entry(60), cursor: "a" });
  service.sockets[0].end(1000);
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  await settled();
  t.mock.timers.tick(600_000);
  await settled();
  assert.deepEqual([ids(), service.asked.length, feed.state, feed.cursor], [[50], 1, "stopped", "page"]);
});

test("columns say how many posts stand above one written later", () => {
  const at = (id, arrived) => entry(id, { arrived: `2026-11-22T10:0${arrived}:00Z` });
  const order = [at(5, 5), at(4, 4), at(3, 9), at(2, 2), at(1, 8)];
  assert.equal(outOfOrder(order), 0);
  const arrival = byArrival(order);
  assert.deepEqual(arrival.map((it) => it.id), ["3", "1", "5", "4", "2"]);
  assert.equal(outOfOrder(arrival), 2);
  assert.equal(outOfOrder([]), 0);
  assert.equal(nameOf("https://tide.example/users/ana"), "ana@tide.example");
  assert.equal(nameOf("https://tide.example/@ana/"), "ana@tide.example");
  assert.equal(nameOf("x"), "x");
});

test("the text of a post is what stands between its marks, however it was written", () => {
  const cases = [
    ["<p>Low tide</p><p>at last<br>boots on</p>", "Low tide at last boots on"],
    ["<b>late</b> &amp; <img src=x onerror=\"a('>')\"> <script>x</script><style>y", "late & ')\">"],
    ["1 &lt; 2 &#38; &#x41; &rare; &#9999999; a<b", "1 < 2 & A &rare; &#9999999; a"],
    ["<!-- hidden <p> --><a href='x'>seen</a><!-- open", "seen"],
    ["2 < 3 and <3", "2 < 3 and <3"],
    [null, ""],
    ["x".repeat(300), `${"x".repeat(180)} …`],
  ];
  for (const [html, text] of cases) assert.equal(textOf(html), text, String(html));
  for (const piece of ["<script", "<!--", "<p ", "&#1", "<"]) {
    const begun = performance.now();
    textOf(piece.repeat(200_000));
    assert.ok(performance.now() - begun < 1_000, piece);
  }
});

test("what came since the first look is counted, and what of it came below what was shown", () => {
  const entry = (id) => ({ id: String(id) });
  const sofar = new ShownSoFar();
  const take = (ids, isWhole) => (sofar.take(ids.map(entry), isWhole, 7), [sofar.came, sofar.behind]);
  assert.deepEqual(take([30, 20], false), [0, 0], "the first look");
  assert.deepEqual(take([40, 30, 20], false), [1, 0], "on top");
  assert.deepEqual(take([40, 35, 30, 20], false), [2, 1], "below what was shown");
  assert.deepEqual(take([40, 35, 30, 20], false), [2, 1], "nothing new");
  assert.deepEqual(take([40, 35, 30, 10], true), [2, 1], "what moves in at the end has not come");
  assert.deepEqual(take([40, 35, 30, 10, 5], true), [3, 2], "where all is shown, the lowest has");
  assert.deepEqual([...sofar.entries.values()].map((it) => it.behind), [false, false, true, false, true]);
});

test("a patience is said in words, with what waits for whom and until when", () => {
  const preview = { patience: "20m", hold: "16m", held_by: [{ origin: "threads.net", wait: "16m" }], waiting_count: 2, waiting: [{ shown_at: "2026-11-22T10:19:00Z" }] };
  const now = Date.parse("2026-11-22T10:18:11Z");
  assert.equal(waitInWords(preview, now), "2 posts wait, the next is shown in 49 s; posts are held back for 16 min by threads.net.");
  assert.equal(waitInWords({ ...preview, waiting_count: 0, waiting: [] }, now), "Nothing waits at the moment; posts are held back for 16 min by threads.net.");
  assert.match(waitInWords({ ...preview, patience: "0s", hold: "0s" }, now), /^Nothing is held back\. /);
  assert.match(waitInWords({ ...preview, patience: "5s", hold: "0s" }, now), /no origin/);
  assert.equal(stopOf("0s", millisOf), 0);
  assert.equal(STOPS[stopOf("25s", millisOf)], "20s");
  assert.equal(STOPS[stopOf("1m 30s", millisOf)], "1m");
  assert.equal(STOPS[stopOf("2days", millisOf)], "1h");
  assert.equal(STOPS[stopOf("complete", millisOf)], "complete");
});

test("a record is shown as it came, and JSON with its lines set apart only where that changes nothing", () => {
  const text = (data, more = {}) => readable({ encoding: "text", data, bytes: 1, cut: false, ...more });
  assert.equal(text('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}');
  assert.equal(text("{nonsense"), "{nonsense");
  assert.equal(text('{"id":117659507097613121}'), '{"id":117659507097613121}');
  assert.equal(text('{"a":1,"a":2}'), '{"a":1,"a":2}');
  assert.equal(text('{"a":1}', { cut: true }), '{"a":1}');
  assert.equal(positionInWords({ topic: "activities", partition: 0, offset: 3 }), "activities, partition 0, offset 3");
  assert.equal(positionInWords({ topic: null, partition: null, offset: null }), "it is not known where it stood");
});

test("a post is found by its id, and by the page that people copy", () => {
  const entries = [{ uri: "https://b.example/ap/1", object: { url: ["https://b.example/p/1"] } }];
  assert.deepEqual(idsOf("https://b.example/p/1", entries), ["https://b.example/ap/1", "https://b.example/p/1"]);
  assert.deepEqual(idsOf("https://a.example/@ana/11", entries), ["https://a.example/@ana/11", "https://a.example/users/ana/statuses/11"]);
  assert.deepEqual(idsOf("https://a.example/@ana@b.example/11", entries), ["https://a.example/@ana@b.example/11"]);
  assert.deepEqual(idsOf("x", entries), ["x"]);
});
