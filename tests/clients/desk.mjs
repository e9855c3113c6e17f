// The operator's page in a real browser, headless. Says what it finds, a line of JSON each; every case ends with what must not
// be: errors of the console and of scripts, and requests to elsewhere.
//
//     node desk.mjs URL TOKEN open | overview | origins | windows | token | origin | feeds | patience | accounts | letters | settings |
//         nodes | unwell | alone | demo | narrow | gone

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import puppeteer from "puppeteer-core";

const [base, token, what] = process.argv.slice(2);
const say = (values) => console.log(JSON.stringify(values));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WITHIN = { timeout: 60_000, polling: 50 };

const browser = await puppeteer.launch({
  executablePath: process.env.SLACKWATER_TEST_BROWSER ?? "/usr/bin/chromium",
  userDataDir: process.env.SLACKWATER_TEST_PROFILE,
  // It ends when this process does, however that ends.
  pipe: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage();
const errors = [];
const elsewhere = [];
page.on("console", (message) => {
  // A service that is busy, or reads its log, says so with 503, and is asked again: no fault of the page, which shows it.
  const isAskedAgain = message.text().includes("status of 503");
  if (["error", "warn"].includes(message.type()) && !isAskedAgain) errors.push(`${message.text()} (${message.location().url ?? "the page"})`);
});
page.on("pageerror", (error) => errors.push(String(error)));
page.on("request", (request) => {
  const url = request.url();
  const isHere = url.startsWith(`${base}/`) || url.startsWith(`${base.replace("http", "ws")}/`) || url.startsWith("data:");
  if (!isHere) elsewhere.push(url);
});

const text = (selector) => page.$eval(selector, (it) => it.textContent.trim());
const texts = (selector) => page.$$eval(selector, (all) => all.map((it) => it.textContent.trim()));
const until = (selector, wanted) =>
  page.waitForFunction((it, words) => document.querySelector(it)?.textContent.includes(words), WITHIN, selector, wanted);
const untilShown = (selector) => page.waitForSelector(selector, { visible: true, timeout: WITHIN.timeout });
const number = (key) => text(`[data-number="${key}"]`);
const hosts = () => page.$$eval("tbody tr", (rows) => rows.map((row) => row.dataset.host));
const width = () => page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
const open = async (path = "/") => {
  await page.goto(base + path);
};
/** The page with the token given, ready. */
const enter = async (path = "/") => {
  if (token) await page.evaluateOnNewDocument((it) => sessionStorage.setItem("slackwater.token", it), token);
  await open(path);
  await until("#state", "Ready");
};
const faults = async () => {
  await page.evaluate(axe);
  const { violations } = await page.evaluate("axe.run()");
  return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
};

const CASES = {
  /** Without anything given. */
  async open() {
    await open();
    await untilShown("tbody tr");
    say({ open: await hosts() });
  },

  /** Live numbers: what is posted after `records` was said is seen. */
  async overview() {
    await enter();
    await untilShown("tbody tr");
    const before = await number("posts");
    say({ title: await page.title() });
    say({ posts: before });
    await page.waitForFunction((it) => document.querySelector('[data-number="posts"]').textContent.trim() !== it, WITHIN, before);
    say({ after: await number("posts") });
    say({ verdicts: await texts("[data-verdict]") });
  },

  async origins() {
    await enter();
    await untilShown("tbody tr");
    const sorted = () => page.$$eval("th[aria-sort]", (all) => all.map((it) => [it.dataset.key, it.getAttribute("aria-sort")]));
    say({ first: [await sorted(), await hosts()] });
    await page.click('th[data-key="host"] button');
    say({ by_host: [await sorted(), await hosts()] });
    await page.click('th[data-key="host"] button');
    say({ reversed: [await sorted(), await hosts()] });
    await page.click("nav.turn button:last-child");
    say({ second_page: await hosts() });
    await page.type("#search", "H07");
    say({ found: await hosts(), sentence: await text(".found") });
    const row = await page.$$eval("tbody tr:first-child > *", (cells) => cells.map((it) => it.textContent));
    say({ row });
    say({ picture: await page.$eval("tbody tr:first-child svg", (it) => it.getAttribute("aria-label")) });
  },

  /** Each row's host with what stands beside it, and its window. */
  async windows() {
    await enter();
    await untilShown("tbody tr");
    const windows = await page.$$eval("tbody tr", (rows) =>
      rows.map((row) => ["a", ".badge:not([hidden])", ".of-window"].map((it) => row.querySelector(it)?.textContent ?? "")));
    say({ windows });
  },

  /** Asked for, refused, taken, kept for this tab, and not in any address. */
  async token() {
    await open();
    await untilShown("form.token");
    say({ asked: await text("form.token h1") });
    await page.keyboard.type("ключ");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector(".wrong").textContent !== "", WITHIN);
    say({ no_token: await text(".wrong") });
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await until(".wrong", "does not take");
    say({ wrong: await text(".wrong") });
    say({ kept: await page.evaluate(() => sessionStorage.length) });
    await page.type("#token", token);
    await page.keyboard.press("Enter");
    await until("#state", "Ready");
    await untilShown("[data-number]");
    await page.reload();
    await until("#state", "Ready");
    const kept = await page.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie, location.href]);
    say({ let_in: kept });
    await page.click("footer button");
    await untilShown("form.token");
    say({ forgotten: await page.evaluate(() => sessionStorage.length) });
    // What a browser says of an answer of 401 is no fault of the page.
    errors.splice(0, errors.length, ...errors.filter((it) => !it.includes("status of 401")));
  },

  /** One origin, its slider by keyboard, and the lines as they are copied. */
  async origin() {
    await enter("/#/origins/slow.example");
    await untilShown("#window");
    const shown = async () => [await text(".words p"), await text("pre code"), await page.$eval("#window", (it) => it.getAttribute("aria-valuetext"))];
    say({ first: await shown() });
    say({ title: await page.title() });
    await page.focus("#window");
    await page.keyboard.press("Home");
    say({ shortest: await shown() });
    const bars = () => page.$$eval(".picture .bar", (all) => all.map((it) => it.getAttribute("class")));
    say({ past: await bars() });
    await page.keyboard.press("End");
    say({ longest: await shown() });
    say({ within: await bars() });
    say({ presets: await texts(".presets button") });
    await page.click(".presets button:last-child");
    say({ chosen: await shown() });
    await browser.defaultBrowserContext().overridePermissions(base, ["clipboard-read", "clipboard-write", "clipboard-sanitized-write"]);
    await page.bringToFront();
    await page.click("button.copy");
    await until(".copy + span", "Copied");
    say({ copied: await page.evaluate(() => navigator.clipboard.readText()) });
    say({ faults: await faults() });
    await page.setViewport({ width: 400, height: 800 });
    say({ narrow: await width() });
    await page.evaluate(() => (location.hash = "#/origins/nobody.example"));
    await until("[role=status]:not(#announced)", "nothing was heard");
    say({ nobody: await page.$eval("main", (it) => it.innerText) });
    errors.splice(0, errors.length, ...errors.filter((it) => !it.includes("status of 404")));
  },

  /** Home of account 7: what comes after `live` was said is shown; a post is marked and explained; the service goes and is back. */
  async feeds() {
    await enter("/#/feeds");
    await untilShown("#account");
    await page.type("#account", "7");
    await page.keyboard.press("Enter");
    await page.waitForSelector('[data-state="live"]', WITHIN);
    await untilShown("ol.posts li");
    const column = (kind) => page.$$eval(`[data-column=${kind}] li`, (all) => all.map((it) => it.dataset.uri));
    const untilThere = (uri) => page.waitForSelector(`[data-column=order] li[data-uri="${uri}"]`, WITHIN);
    const numbered = (n) => `https://a.example/users/ana/posts/${n}`;
    say({ live: [await column("arrival"), await column("order")] });
    await untilThere(numbered(4));
    // Both columns are drawn at once.
    say({ arrival: await column("arrival") });
    say({ order: await column("order") });
    say({ marked: await texts("[data-column=order] .late-mark") });
    say({ text: await text(`[data-column=order] li[data-uri="${numbered(4)}"] .text`) });
    say({ harmed: await page.evaluate(() => document.title === "harmed" || document.querySelectorAll("main img, main script, main b").length) });
    say({ behind: await text(`[data-column=order] li[data-uri="${numbered(4)}"] .head`) });
    await page.type("#uri", numbered(9));
    await page.keyboard.press("Enter");
    await until(".answer", "home");
    say({ explained: await text(".answer") });
    // The pages that people copy: by the address of one of Mastodon's, and of one that is shown here.
    for (const [name, url] of [["pasted", "https://a.example/@ana/11"], ["shown", "https://a.example/pages/3"]]) {
      await page.$eval("#uri", (it) => (it.value = ""));
      await page.type("#uri", url);
      await page.$eval(".answer", (it) => it.replaceChildren());
      await page.keyboard.press("Enter");
      await until(".answer", "home");
      say({ [name]: await text(".answer") });
    }
    await page.$eval("#uri", (it) => (it.value = ""));
    await page.type("#uri", "https://a.example/none");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.querySelector(".answer li"), WITHIN);
    say({ unknown: await text(".answer") });
    say({ faults: await faults() });
    await page.setViewport({ width: 400, height: 800 });
    say({ narrow: await width() });
    await page.waitForSelector('[data-state="waiting"]', WITHIN);
    say({ away: true });
    await page.waitForSelector('[data-state="live"]', WITHIN);
    await untilThere(numbered(6));
    say({ resumed: await column("order") });
    errors.splice(0, errors.length, ...errors.filter((it) => !/status of 404|ERR_CONNECTION|WebSocket connection/.test(it)));
  },

  /** Home of account 7 at every patience, by keyboard: `turned` is said at the longest, and what comes then waits before it is shown. */
  async patience() {
    await enter("/#/feeds/7");
    await page.waitForSelector('[data-state="live"]', WITHIN);
    const shown = () => page.$$eval("[data-column=order] li", (all) => all.map((it) => it.dataset.uri));
    const count = (n) => page.waitForFunction((it) => document.querySelectorAll("[data-column=order] li").length === it, WITHIN, n);
    const slider = () => page.$eval("#patience", (it) => it.getAttribute("aria-valuetext"));
    const pressed = () => texts(".patience [aria-pressed=true]");
    await count(2);
    say({ own: [await shown(), await slider(), await pressed(), await text(".waits")] });
    await page.focus("#patience");
    await page.keyboard.press("End");
    await count(1);
    say({ held: [await shown(), await slider(), await pressed()] });
    say({ sentence: await text(".waits") });
    say({ told: await text(".patience [role=status].unseen") });
    say({ waiting: await page.$$eval(".waiting li", (all) => all.map((it) => [it.dataset.uri, it.querySelector(".due").textContent])) });
    say({ arrival: await page.$$eval("[data-column=arrival] li", (all) => all.map((it) => it.dataset.uri)) });
    say({ origin: await page.$eval(".waiting a", (it) => it.getAttribute("href")) });
    say({ counted: await text(".waiting li .due") });
    const due = await text(".waiting li .due");
    await page.waitForFunction((it) => document.querySelector(".waiting li .due")?.textContent !== it, WITHIN, due);
    const faulty = [];
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      faulty.push(...(await faults()));
    }
    await page.setViewport({ width: 400, height: 800 });
    faulty.push(...(await faults()));
    say({ faults: faulty });
    say({ narrow: await width() });
    await page.setViewport({ width: 1200, height: 800 });
    say({ turned: true });
    const fresh = "https://a.example/users/ana/posts/3";
    await page.waitForSelector(`.waiting li[data-uri="${fresh}"]`, WITHIN);
    say({ waits: true });
    await page.focus("#patience");
    await page.keyboard.press("Home");
    await count(3);
    say({ none: [await shown(), await slider(), await pressed()] });
    await page.$$eval(".patience button", (all) => all[0].click());
    await page.waitForFunction(() => document.querySelector(".patience [aria-pressed=true]").textContent === "The account’s own", WITHIN);
    say({ again: [await shown(), await slider()] });
  },

  /** Thirty accounts: in pages, found, and opened by the keyboard. */
  async accounts() {
    await enter("/#/feeds");
    await untilShown(".accounts li");
    const listed = () => texts(".accounts a");
    const untilFirst = (wanted) => page.waitForFunction((it) => document.querySelector(".accounts a")?.textContent === it, WITHIN, wanted);
    say({ first: await listed() });
    say({ row: await text(".accounts li") });
    await page.click("nav.turn button:last-child");
    await untilFirst("a12");
    say({ second: await listed() });
    await page.click("nav.turn button:first-child");
    await untilFirst("a00");
    await page.type("#account", "USERS/N25");
    await untilFirst("a25");
    say({ found: await listed() });
    say({ faults: await faults() });
    await page.setViewport({ width: 400, height: 800 });
    say({ narrow: await width() });
    await page.focus("#account");
    await page.keyboard.press("Enter");
    await until("h1", "Home of");
    say({ opened: await page.evaluate(() => location.hash) });
    await page.evaluate(() => (location.hash = "#/feeds"));
    await untilShown(".accounts li");
    await page.type("#account", "nobody");
    await until(".found", "No account");
    say({ nobody: await text(".found") });
  },

  /** Records that nobody can use, whatever stands in them. */
  async letters() {
    await enter("/#/dead-letters");
    await untilShown(".letters li");
    const ids = () => page.$$eval(".letters > li", (all) => all.map((it) => it.dataset.letter));
    say({ first: await ids() });
    say({ letter: await text(".letters > li") });
    say({ folded: await page.$$eval(".letters > li", (all) => all.map((it) => [it.querySelector("details") !== null, it.querySelector("pre").textContent.length])) });
    say({ harmed: await page.evaluate(() => document.title === "harmed" || document.querySelectorAll("main img, main script, main b").length) });
    await page.$eval(".letters details", (it) => (it.open = true));
    // What is unfolded stays so when the service is asked again.
    const asked = page.waitForResponse((it) => it.url().includes("/v1/dead-letters"), WITHIN);
    await asked;
    say({ open: await page.$eval(".letters details", (it) => it.open) });
    say({ faults: await faults() });
    await page.setViewport({ width: 400, height: 800 });
    say({ narrow: await width() });
    const [newest] = await ids();
    await page.focus("nav.turn button:last-child");
    await page.keyboard.press("Enter");
    await page.waitForFunction((it) => document.querySelector(".letters > li")?.dataset.letter !== it, WITHIN, newest);
    say({ second: await ids() });
    await page.focus("nav.turn button:first-child");
    await page.keyboard.press("Enter");
    await page.waitForFunction((it) => document.querySelector(".letters > li")?.dataset.letter === it, WITHIN, newest);
    say({ back: await ids() });
  },

  /** Memory, disks and the configuration: `refused` is said when a mistake in it is shown. */
  async settings() {
    await enter();
    const card = (key) => page.$eval(`[data-number="${key}"]`, (it) => it.closest("article").textContent);
    await page.waitForFunction(() => document.querySelector('[data-number="memory"]').textContent.includes("iB"), WITHIN);
    say({ memory: await card("memory") });
    say({ bars: await page.$$eval(".fill", (all) => all.filter((it) => it.checkVisibility()).length) });
    say({ disk: await card("disk") });
    say({ settings: await card("settings") });
    say({ connector: await page.$eval('[data-number="connector"]', (it) => it.checkVisibility()) });
    await page.waitForFunction(() => document.querySelector('[data-number="settings"]').textContent === "refused", WITHIN);
    say({ refused: await card("settings") });
    say({ faults: await faults() });
    await page.waitForFunction(() => document.querySelector('[data-number="settings"]').textContent === "in force", WITHIN);
    say({ mended: await card("settings") });
  },

  /** Nodes and their shards: after `looked` one dies, and is seen to be gone while others take its shards. */
  async nodes() {
    await enter("/#/nodes");
    await untilShown('[data-node="c"]');
    await until(".waits", "is served");
    const shown = () =>
      page.$$eval("[data-node]", (rows) =>
        rows.map((row) => [row.dataset.node, [...row.querySelectorAll(".badge")].map((it) => it.textContent), row.querySelector("svg")?.getAttribute("aria-label") ?? ""]));
    say({ links: await texts("#pages a:not([hidden])") });
    say({ sentence: await text(".waits") });
    say({ shown: await shown() });
    const bars = await page.$$eval('[data-node="a"] rect.serves', (all) => all.reduce((sum, it) => sum + Number(it.getAttribute("width")), 0));
    say({ bars });
    await page.setViewport({ width: 400, height: 800 });
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      say({ [scheme]: [await width(), await faults()] });
    }
    say({ looked: true });
    await until('[data-node="c"]', "gone");
    await page.waitForFunction(() => document.querySelector(".waits").textContent.includes("is served") && document.querySelector(".lacking").textContent === "", WITHIN);
    say({ after: await text(".waits") });
    say({ left: await shown() });
    say({ dead: await faults() });
  },

  /** Node b has other settings, and c is not reached where it says: each with its words, in the light and in the dark. */
  async unwell() {
    await enter("/#/nodes");
    const badges = (name) => texts(`[data-node="${name}"] .badge`);
    await until('[data-node="b"] .badges', "other settings");
    say({ differs: [await badges("b"), await texts('[data-node="b"] li')] });
    await until('[data-node="c"] .badges', "cannot be reached");
    say({ away: [await badges("c"), await texts('[data-node="c"] li')] });
    say({ well: await texts('[data-node="a"] li') });
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await until('[data-node="c"] .badges', "cannot be reached");
      say({ [scheme]: await faults() });
    }
  },

  /** A service that is no node of several. */
  async alone() {
    await enter("/#/nodes");
    await until(".waits", "only node");
    say({ links: await texts("#pages a:not([hidden])") });
  },

  /** What is said of the demo, to who comes from it; the page of anybody else does not have it. */
  async demo() {
    await open("/?demo#/feeds/demo");
    await untilShown(".tour");
    say({ steps: (await texts(".steps li")).length });
    await page.waitForSelector('[data-state="live"]', WITHIN);
    await page.focus("#patience");
    for (let n = 0; n < 7; n += 1) await page.keyboard.press("ArrowRight");
    await until(".waits", "by threads-like.example");
    say({ turned: await page.$eval("#patience", (it) => it.getAttribute("aria-valuetext")) });
    await until(".came", "none of them below");
    say({ came: await text(".came") });
    say({ names: await texts(".waiting strong") });
    say({ faults: await faults() });
    await page.setViewport({ width: 400, height: 800 });
    say({ narrow: await width() });
    await page.click(".steps a");
    await until("h1", "slow.example");
    await page.waitForFunction(() => document.querySelectorAll(".presets button").length > 0, WITHIN);
    say({ window: (await texts(".presets button")).at(-1) });
    await open("/#/feeds/demo");
    await page.waitForSelector('[data-state="live"]', WITHIN);
    say({ plain: (await page.$$(".tour")).length });
  },

  /** In the dark, on a narrow screen, and by keyboard alone. */
  async narrow() {
    await page.setViewport({ width: 400, height: 800 });
    const seen = [];
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      if (seen.length === 0) await enter();
      await untilShown("tbody tr");
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      seen.push(ground);
      say({ [scheme]: [await width(), await faults()] });
    }
    await page.setViewport({ width: 1200, height: 800 });
    say({ grounds: seen });
    say({ wide: await faults() });
    await page.reload();
    await untilShown("tbody tr");
    const reached = [];
    for (let n = 0; n < 40; n += 1) {
      await page.keyboard.press("Tab");
      const [name, shown] = await page.evaluate(() => {
        const it = document.activeElement;
        const style = getComputedStyle(it);
        return [it === document.body ? "" : it.id || it.getAttribute("aria-label") || it.textContent.trim(), style.outlineStyle !== "none"];
      });
      if (name === "") break;
      reached.push(shown ? name : `${name} (unseen)`);
    }
    say({ reached });
  },

  /** The service goes after `ready`, and comes back where it was. */
  async gone() {
    await enter();
    await untilShown("tbody tr");
    say({ ready: true });
    await until("#state", "No answer");
    say({ gone: await text(".banner") });
    say({ role: await page.$eval(".banner", (it) => it.getAttribute("role")) });
    say({ still: await hosts() });
    await until("#state", "Ready");
    say({ back: await page.$eval(".banner", (it) => it.hidden) });
    errors.splice(0, errors.length, ...errors.filter((it) => !it.includes("ERR_CONNECTION")));
  },
};

try {
  await CASES[what]();
  say({ errors });
  say({ elsewhere });
} finally {
  await browser.close();
}
