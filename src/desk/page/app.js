// The page as a whole: which view is shown, what the service is asked for and how often, and what is said while it does not answer.

import { deadLettersPage } from "./dead_letters.js";
import { el, fill, say } from "./dom.js";
import { feedsPage } from "./feeds.js";
import { parse, total } from "./metrics.js";
import { nodesPage } from "./nodes.js";
import { originPage } from "./origin.js";
import { overview } from "./overview.js";
import { Refused, TokenNeeded, Unreachable, json, readiness, setToken, text, token } from "./service.js";
import { duration } from "./words.js";

/** How often the service is asked. */
const POLL_MS = 2_000;
/** Rates that are remembered: two minutes of them. */
const RATES_MAX = 60;
/** Origins in one answer: what the API gives at most. */
const ORIGINS_MAX = 1_000;
/** From so many origins on, they are asked for less often: the answer is large. */
const ORIGINS_MANY = 200;
/** With many origins: once in so many times. */
const ORIGINS_EVERY = 5;

/**
 * What was seen of the service last. `rates` are records in a second, oldest first.
 * @typedef {{ now: number, readiness: Awaited<ReturnType<typeof readiness>> | null,
 *   samples: import("./metrics.js").Samples | null, rates: number[],
 *   origins: { origins: import("./origins.js").Origin[], known: number } | null,
 *   nodes: import("./nodes.js").Nodes | null }} Seen
 * @typedef {{ title: string, element: HTMLElement, wantsOrigins?: boolean, look?(): Promise<void>, update(seen: Seen): void,
 *   close?(): void }} View `look` asks for what this view alone shows, each time the service is asked; its errors are the page's.
 */

/**
 * How a page is made of the rest of its address. Those with a name are in the navigation, if there is something to show; others are within
 * one of these.
 */
const PAGES = [
  { path: "", name: "Overview", make: overview },
  { path: "feeds", name: "Feeds", make: feedsPage },
  { path: "nodes", name: "Nodes", make: nodesPage, isShown: () => (seen.nodes?.node ?? null) !== null },
  { path: "dead-letters", name: "Dead letters", make: deadLettersPage },
  { path: "origins", within: "", make: originPage },
];

const content = document.getElementById("content");
const state = document.getElementById("state");
const announced = document.getElementById("announced");
const nav = document.getElementById("pages");
const banner = el("p", { class: "banner", role: "alert", hidden: true });
const place = el("div");
const forget = el("button", { type: "button", class: "link", onclick: forgetToken }, "Forget the token");

/** @type {Seen} */
const seen = { now: Date.now(), readiness: null, samples: null, rates: [], origins: null, nodes: null };
/** @type {View | null} */
let view = null;
let last = /** @type {{ at: number, records: number } | null} */ (null);
let answeredAt = 0;
let polls = 0;
let timer = 0;
let isAsking = false;
let isAskingForToken = false;

function route() {
  const [path = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const page = PAGES.find((it) => it.path === path) ?? PAGES[0];
  view?.close?.();
  view = page.make(...rest.map(decoded));
  document.title = `${view.title} · Slackwater`;
  for (const link of nav.querySelectorAll("a")) {
    const isHere = link.getAttribute("href") === `#/${page.within ?? page.path}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (isAskingForToken) return;
  fill(place, view.element);
  view.update(seen);
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Asks the service, shows what it answers, and does so again in a while; not while nobody sees the page. */
async function poll() {
  clearTimeout(timer);
  if (document.hidden || isAsking) return;
  isAsking = true;
  const asked = view;
  try {
    await look();
  } catch (error) {
    failed(error);
  } finally {
    isAsking = false;
    // While a token is asked for nothing is, until there is one.
    if (!isAskingForToken) timer = setTimeout(poll, asked === view ? POLL_MS : 0);
  }
}

async function look() {
  seen.readiness = await readiness();
  const shown = view;
  const isMany = ORIGINS_MANY < (seen.origins?.known ?? 0);
  const isDue = shown?.wantsOrigins && (!seen.origins || !isMany || polls % ORIGINS_EVERY === 0);
  const [metrics, nodes, origins] = await Promise.all([
    text("/metrics"),
    json("/v1/nodes"),
    isDue ? json(`/v1/origins?limit=${ORIGINS_MAX}`) : seen.origins,
    shown?.look?.(),
  ]);
  polls += 1;
  seen.now = Date.now();
  seen.samples = parse(metrics);
  seen.nodes = nodes;
  seen.origins = origins;
  for (const [link, isShown] of linksShown) link.hidden = !isShown();
  const records = total(seen.samples, "slackwater_records_read_total");
  // A count that is lower than before is that of another process.
  if (last && last.records <= records) {
    seen.rates.push((records - last.records) / Math.max(0.001, (seen.now - last.at) / 1000));
    seen.rates.splice(0, seen.rates.length - RATES_MAX);
  }
  last = { at: seen.now, records };
  answeredAt = seen.now;
  closeTokenForm();
  banner.hidden = true;
  const { ready, detail } = seen.readiness;
  showState(ready ? "good" : "wait", ready && detail === "ready" ? "Ready" : capital(detail));
  // Another view may be shown meanwhile, which has not looked yet.
  if (view === shown) view?.update(seen);
}

function failed(error) {
  if (error instanceof TokenNeeded) {
    if (error.isWrong) setToken(null);
    askForToken(error);
    return;
  }
  const since = answeredAt === 0 ? "" : ` The numbers are ${duration(Date.now() - answeredAt)} old.`;
  if (error instanceof Unreachable) {
    showState("bad", "No answer");
    warn(`The service does not answer. It is asked again every ${duration(POLL_MS)}.`, since);
  } else if (error instanceof Refused) {
    showState("bad", `Refused (${error.status})`);
    warn(`The service refuses: ${error.message}`, since);
  } else {
    showState("bad", "This page failed");
    warn(`This page failed: ${error}`, since);
    console.error(error);
  }
}

/** The alert is announced when its first sentence is new; the age below it is not. */
function warn(sentence, since) {
  if (banner.hidden || banner.firstChild?.textContent !== sentence) {
    fill(banner, el("span", {}, sentence), el("span", { "aria-live": "off" }));
    banner.hidden = false;
  }
  say(banner.lastElementChild, since);
}

function showState(kind, words) {
  state.className = `state ${kind}`;
  say(state, words);
  // How far catching up has come changes all the time; that it goes on is said once.
  say(announced, `Service: ${words.replace(/:.*/, "")}`);
}

function askForToken(error) {
  showState("wait", "Token needed");
  const note = place.querySelector(".token .wrong");
  if (isAskingForToken && note) {
    if (error.isWrong) say(note, error.message);
    return;
  }
  isAskingForToken = true;
  banner.hidden = true;
  const input = el("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "token-about token-wrong" });
  const form = el(
    "form",
    {
      class: "token",
      onsubmit: (event) => {
        event.preventDefault();
        const given = input.value.trim();
        input.value = "";
        // What no header takes is no token, and the service need not be asked.
        const isToken = /^[!-~]+$/.test(given);
        say(form.querySelector(".wrong"), isToken ? "" : "This is no token: one is of letters, digits and signs, without spaces.");
        if (!isToken) return;
        setToken(given);
        poll();
      },
    },
    el("h1", {}, "A service token, please"),
    el("p", { id: "token-about" }, "It is one of auth.service_tokens in the configuration. It is kept in this tab and nowhere else, and gone when the tab is closed."),
    el("label", { for: "token" }, "Service token"),
    el("div", { class: "together" }, input, el("button", { type: "submit" }, "Show the page")),
    el("p", { class: "wrong", id: "token-wrong", role: "alert" }, error.isWrong ? error.message : ""),
  );
  fill(place, form);
  input.focus();
}

function closeTokenForm() {
  forget.hidden = token() === null;
  if (!isAskingForToken) return;
  isAskingForToken = false;
  if (view) fill(place, view.element);
  content.focus();
}

function forgetToken() {
  setToken(null);
  location.reload();
}

function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const linksShown = new Map();
for (const { path, name, isShown } of PAGES.filter((page) => page.name)) {
  const link = el("a", { href: `#/${path}`, hidden: isShown !== undefined }, name);
  if (isShown) linksShown.set(link, isShown);
  nav.append(link);
}
forget.hidden = true;
fill(content, banner, place, el("footer", {}, el("a", { href: "/openapi.json" }, "The API"), " ", forget));
addEventListener("hashchange", () => {
  route();
  content.focus();
  poll();
});
document.addEventListener("visibilitychange", poll);
showState("wait", "Asking the service");
route();
poll();
