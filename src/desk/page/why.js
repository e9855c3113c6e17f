// Why a post is in an account's feeds, or is not: by the post's id, as its own server gives it.

import { el, fill } from "./dom.js";
import { nameOf } from "./posts.js";
import { json } from "./service.js";
import { clockTime, duration } from "./words.js";

/**
 * Asks why a post is in the account's feeds, or is not.
 * @param {string} account
 */
export function explanation(account) {
  const input = el("input", { id: "uri", type: "text", inputmode: "url", autocomplete: "off", spellcheck: "false", required: true, placeholder: "https://…" });
  const answer = el("div", { class: "answer", role: "status" });
  const form = el("form", { class: "together", onsubmit: ask }, input, el("button", { type: "submit" }, "Ask why"));
  const element = el(
    "section",
    { class: "sheet", "aria-labelledby": "why" },
    el("h2", { id: "why" }, "Why is a post here, or not?"),
    el("label", { for: "uri" }, "The id of the post: the URI that its own server gives it"),
    form,
    answer,
  );

  async function ask(event) {
    event.preventDefault();
    try {
      const post = await json(`/v1/posts?uri=${encodeURIComponent(input.value.trim())}&explain_for=${encodeURIComponent(account)}`);
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

  return element;
}
