// megalodon, unmodified: pages back through home, forward again, and streams; or reads home as it is, or likes,
// writes and keeps lists. Says what it got, a line of JSON each.
//
//     node megalodon.mjs URL TOKEN pages | home | deeds | websocket

import megalodon from "megalodon";

const [url, token, what] = process.argv.slice(2);
const generator = megalodon.default ?? megalodon;
const client = generator("mastodon", url, token);
const say = (values) => console.log(JSON.stringify(values));

async function pages() {
  const me = (await client.verifyAccountCredentials()).data;
  if (me.username !== "kim") throw new Error(`I am ${me.username}`);
  const back = [];
  for (let max_id; ; ) {
    const page = (await client.getHomeTimeline({ limit: 7, ...(max_id && { max_id }) })).data;
    if (page.length === 0) break;
    back.push(...page);
    max_id = page.at(-1).id;
  }
  say({ back: back.map((it) => it.id), texts: back.map((it) => it.content) });
  const forward = [];
  for (let min_id = "1"; ; ) {
    const page = (await client.getHomeTimeline({ min_id, limit: 7 })).data;
    if (page.length === 0) break;
    forward.push(...page.map((it) => it.id).reverse());
    min_id = page[0].id;
  }
  say({ forward });
  const since = (await client.getHomeTimeline({ since_id: back.at(-1).id, limit: 5 })).data;
  say({ since: since.map((it) => it.id) });
  const one = (await client.getStatus(back[0].id)).data;
  say({ one: one.id, author: one.account.acct });
  say({ lists: (await client.getLists()).data.map((it) => it.title) });
}

async function home() {
  say({ home: (await client.getHomeTimeline()).data.map((it) => it.id) });
}

async function deeds() {
  const first = async () => (await client.getHomeTimeline()).data[0];
  const titles = async () => (await client.getLists()).data.map((it) => it.title);
  say({ liked: (await client.favouriteStatus((await first()).id)).data.favourited });
  say({ again: (await first()).favourited });
  say({ written: (await client.postStatus("written by megalodon")).data.content });
  const made = (await client.createList("Boats")).data;
  say({ made: await titles() });
  await client.updateList(made.id, "Ships");
  say({ renamed: await titles() });
  await client.deleteList(made.id);
  say({ removed: await titles() });
}

async function stream() {
  const streaming = await client.userStreaming();
  streaming.on("connect", () => say({ ready: true }));
  streaming.on("update", (status) => say({ event: "update", id: status.id, text: status.content }));
  streaming.on("status_update", (status) => say({ event: "status.update", id: status.id, text: status.content }));
  streaming.on("delete", (id) => say({ event: "delete", id }));
  streaming.on("notification", (it) => say({ event: "notification", id: it.id, text: it.type }));
  streaming.on("error", (error) => say({ event: "error", error: String(error) }));
}

await ({ pages, home, deeds }[what] ?? stream)();
