// masto.js, unmodified: pages back through home, forward again, and streams; or reads home as it is, or likes,
// writes and keeps lists. Says what it got, a line of JSON each.
//
//     node masto.mjs URL TOKEN pages | home | deeds | websocket

import { createRestAPIClient, createStreamingAPIClient } from "masto";
import WebSocket from "ws";

const [url, accessToken, what] = process.argv.slice(2);
const say = (values) => console.log(JSON.stringify(values));

async function pages() {
  const client = createRestAPIClient({ url, accessToken });
  const me = await client.v1.accounts.verifyCredentials();
  if (me.username !== "kim") throw new Error(`I am ${me.username}`);
  const back = [];
  for await (const page of client.v1.timelines.home.list({ limit: 7 })) back.push(...page);
  say({ back: back.map((it) => it.id), texts: back.map((it) => it.content) });
  const forward = [];
  for (let minId = "1"; ; ) {
    const page = await client.v1.timelines.home.list({ minId, limit: 7 });
    if (page.length === 0) break;
    forward.push(...page.map((it) => it.id).reverse());
    minId = page[0].id;
  }
  say({ forward });
  const since = await client.v1.timelines.home.list({ sinceId: back.at(-1).id, limit: 5 });
  say({ since: since.map((it) => it.id) });
  const one = await client.v1.statuses.$select(back[0].id).fetch();
  say({ one: one.id, author: one.account.acct });
  say({ lists: (await client.v1.lists.list()).map((it) => it.title) });
}

async function home() {
  const client = createRestAPIClient({ url, accessToken });
  say({ home: (await client.v1.timelines.home.list()).map((it) => it.id) });
}

async function deeds() {
  const client = createRestAPIClient({ url, accessToken });
  const first = async () => (await client.v1.timelines.home.list())[0];
  const titles = async () => (await client.v1.lists.list()).map((it) => it.title);
  say({ liked: (await client.v1.statuses.$select((await first()).id).favourite()).favourited });
  say({ again: (await first()).favourited });
  say({ written: (await client.v1.statuses.create({ status: "written by masto" })).content });
  const made = await client.v1.lists.create({ title: "Boats" });
  say({ made: await titles() });
  await client.v1.lists.$select(made.id).update({ title: "Ships" });
  say({ renamed: await titles() });
  await client.v1.lists.$select(made.id).remove();
  say({ removed: await titles() });
}

async function stream() {
  const instance = await createRestAPIClient({ url, accessToken }).v2.instance.fetch();
  const streamingApiUrl = instance.configuration.urls.streaming;
  const client = createStreamingAPIClient({ streamingApiUrl, accessToken, implementation: WebSocket });
  say({ ready: true });
  for await (const { event, payload } of client.user.subscribe()) {
    if (event === "delete") say({ event, id: payload });
    else if (event === "notification") say({ event, id: payload.id, text: payload.type });
    else say({ event, id: payload.id, text: payload.content });
  }
}

await ({ pages, home, deeds }[what] ?? stream)();
