// Fedify, unmodified: a server of one actor, which delivers posts to an inbox. Says what it did, a line of JSON each.
//
//     node fedify.mjs INBOX draft-cavage-http-signatures-12 | rfc9421
//
// Each line of its input, {"n": 1, "published": "..."}, is a post to deliver.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createFederation, generateCryptoKeyPair, MemoryKvStore } from "@fedify/fedify";
import { Create, Person } from "@fedify/vocab";

const [inbox, firstKnock] = process.argv.slice(2);
const say = (values) => console.log(JSON.stringify(values));

const keys = await generateCryptoKeyPair("RSASSA-PKCS1-v1_5");
const federation = createFederation({ kv: new MemoryKvStore(), allowPrivateAddress: true, firstKnock });
federation
  .setActorDispatcher("/users/{identifier}", async (context, identifier) => {
    const [pair] = await context.getActorKeyPairs(identifier);
    return new Person({
      id: context.getActorUri(identifier),
      preferredUsername: identifier,
      inbox: context.getInboxUri(identifier),
      publicKey: pair.cryptographicKey,
    });
  })
  .setKeyPairsDispatcher(() => [keys]);
federation.setInboxListeners("/users/{identifier}/inbox", "/inbox");

const server = createServer(async (request, response) => {
  const url = new URL(request.url, origin);
  const answer = await federation.fetch(new Request(url, { headers: request.headers }), { contextData: null });
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(await answer.text());
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const context = federation.createContext(new URL(origin), null);
const actor = context.getActorUri("ana").href;
say({ actor });

for await (const line of createInterface({ input: process.stdin })) {
  const { n, published } = JSON.parse(line);
  const id = `${actor}/posts/${n}`;
  const to = "https://www.w3.org/ns/activitystreams#Public";
  const create = await Create.fromJsonLd({
    "@context": "https://www.w3.org/ns/activitystreams",
    type: "Create",
    id: `${id}#create`,
    actor,
    to,
    published,
    object: { type: "Note", id, attributedTo: actor, to, published, content: `<p>post ${n}</p>` },
  });
  const recipient = { id: new URL("https://home.example/users/kim"), inboxId: new URL(inbox) };
  await context.sendActivity({ identifier: "ana" }, recipient, create);
  say({ delivered: id });
}
