// What one sees, for somebody who looks at the demo: `slackwater demo` prints this page's address with `?demo` in it.

import { el } from "./dom.js";
import { linkTo } from "./origins.js";

/** The origin of the demo for which no window is set. */
const SLOW = "slow.example";

/** Whether this page was opened from the demo. */
export const isDemo = () => new URLSearchParams(location.search).has("demo");

/**
 * What is to be seen of an account of the demo, and what to click; nothing elsewhere.
 * @param {string} account
 */
export function tour(account) {
  if (!isDemo()) return null;
  const slow = el("a", { href: linkTo(SLOW) }, SLOW);
  const others = el("a", { href: "#/feeds" }, "other accounts");
  return el(
    "details",
    { class: "sheet tour", open: true },
    el("summary", {}, "What you see here"),
    el("p", {}, `A made-up fediverse that lives sixty times as fast as ours, and the home of ${account}. Posts from `, el("strong", {}, "threads-like.example"), " arrive 15 s after they were written, those of ", el("strong", {}, SLOW), " when its queue runs, every 8 s. By arrival they stand above newer ones; in order each goes where it belongs."),
    el(
      "ol",
      { class: "steps" },
      el("li", {}, el("strong", {}, "Without patience"), " nothing waits: late posts go into their places below what you have read, and are marked."),
      el("li", {}, "Move ", el("strong", {}, "Patience"), " to 30 s: new posts wait for threads-like.example, and none comes below what was shown any more."),
      el("li", {}, "Open ", slow, ": it has the default window of 2 s, so its posts are late. Which would find them all in time? The lines below its picture go into the settings file, whose path your terminal shows."),
      el("li", {}, "Look at ", others, " with patience of their own. One follows nobody at threads-like.example, and so does not wait for it."),
    ),
  );
}
