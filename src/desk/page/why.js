// Why a post is in an account's feeds, or is not: by the post's id, as its own server gives it.

import { el, fill } from "./dom.js";
import { nameOf } from "./posts.js";
import { Refused, json } from "./service.js";
import { clockTime, duration } from "./words.js";

/**
 * The ids that a post may have whose id or page somebody pasted: the pages of Mastodon's posts say their ids, and those of others say
 * them where the post is on this page.
 * @param {string} pasted
 * @param {import("./posts.js").Entry[]} entries on this page
 */
export function idsOf(pasted, entries) {
  const isPage = ({ object }) => object?.url === pasted || (Array.isArray(object?.url) && object.url.includes(pasted));
  const onPage = entries.filter(isPage).map(({ uri }) => uri);
  const parts = /^(https:\/\/[^/]+)\/@([^/@]+)\/([0-9]+)\/?$/.exec(pasted);
  const [, host, name, number] = parts ?? [];
  return [...new Set([...onPage, pasted, ...(parts ? [`${host}/users/${name}/statuses/${number}`] : [])])];
}

/**
 * Asks why a post is in the account's feeds, or is not.
 * @param {string} account
 * @param {() => import("./posts.js").Entry[]} entries on this page
 */
export function explanation(account, entries) {
  const input = el("input", { id: "uri", type: "text", inputmode: "url", autocomplete: "off", spellcheck: "false", required: true, placeholder: "https://…" });
  const answer = el("div", { class: "answer", role: "status" });
  const form = el("form", { class: "together", onsubmit: ask }, input, el("button", { type: "submit" }, "Ask why"));
  const element = el(
    "section",
    { class: "sheet", "aria-labelledby": "why" },
    el("h2", { id: "why" }, "Why is a post here, or not?"),
    el("label", { for: "uri" }, "The address of the post: its id, the URI that its own server gives it, or the page of it"),
    form,
    answer,
  );

  async function ask(event) {
    event.preventDefault();
    try {
      const post = await explained(idsOf(input.value.trim(), entries()));
      const { feeds, mastodon } = post.explained;
      const delay = post.delay_ms === null ? "" : `, ${duration(post.delay_ms)} after it was written`;
      fill(
        answer,
        el("p", {}, `By ${nameOf(post.author)}, written ${clockTime(post.published, Date.now())}; it arrived ${clockTime(post.arrived, Date.now())}${delay}: ${post.verdict.replaceAll("_", " ")}.`),
        el("ul", {}, ...feeds.map(({ feed, shows, why }) => el("li", { class: shows ? "yes" : "no" }, el("strong", {}, `${feed}: ${shows ? "it is there" : "it is not there"}`), ` (${why})`))),
        mastodon && el("p", {}, `Clients of Mastodon’s API do not see it: ${mastodon}`),
      );
    } catch (error) {
      fill(answer, el("p", {}, `${error.message}.`));
    }
  }

  /** The first of these ids that a post has. */
  async function explained([id, ...others]) {
    try {
      return await json(`/v1/posts?uri=${encodeURIComponent(id)}&explain_for=${encodeURIComponent(account)}`);
    } catch (error) {
      const isUnknown = error instanceof Refused && error.status === 404;
      if (!isUnknown || others.length === 0) throw error;
      return explained(others);
    }
  }

  return element;
}
