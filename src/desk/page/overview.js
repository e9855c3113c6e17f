// The first page: the service in numbers, and the table of origins.

import { trend } from "./curve.js";
import { el, fill, say } from "./dom.js";
import { byLabel, total } from "./metrics.js";
import { originsTable } from "./origins.js";
import { count, counted, duration, percent, perSecond, size } from "./words.js";

/** The verdicts in the order they are shown in, with what they are called. */
const VERDICTS = /** @type {const} */ ([
  ["in_time", "in time"],
  ["late", "late"],
  ["too_late", "too late"],
  ["from_the_future", "from the future"],
  ["undated", "undated"],
  ["fetched", "fetched"],
]);
/** Partitions that lag, of which there is a line each; the others are counted. */
const PARTITIONS_MAX = 6;

/**
 * The first page. `update` is called with everything that was seen of the service last.
 * @returns {import("./app.js").View}
 */
export function overview() {
  const numbers = [records, posts, entries, lag, readers, letters, disk, connector].map((make) => make());
  const table = originsTable();
  const element = el(
    "div",
    {},
    el("h1", { class: "unseen" }, "Overview"),
    el("section", { "aria-labelledby": "numbers" }, el("h2", { id: "numbers" }, "The service"), el("div", { class: "cards" }, ...numbers.map((number) => number.element))),
    table.element,
  );
  return {
    title: "Overview",
    element,
    wantsOrigins: true,
    update(seen) {
      if (seen.samples) for (const number of numbers) number.update(seen);
      if (seen.origins) table.update(seen.origins, seen.now);
    },
  };
}

/** A card: a name, a large value, and what stands below it. */
function card(name, key) {
  const value = el("p", { class: "value", "data-number": key }, "–");
  const below = el("div", { class: "below" });
  const element = el("article", { class: "card" }, el("h3", {}, name), value, below);
  return { element, value, below };
}

function records() {
  const { element, value, below } = card("Records in", "records");
  const line = el("div");
  const text = el("p");
  below.append(line, text);
  return {
    element,
    update({ samples, rates }) {
      say(value, count(total(samples, "slackwater_records_read_total")));
      fill(line, trend(rates));
      say(text, rates.length === 0 ? "since the start" : `${perSecond(rates[rates.length - 1])} at the moment`);
    },
  };
}

function posts() {
  const { element, value, below } = card("Posts placed", "posts");
  const bar = el("div", { class: "stack", "aria-hidden": "true" });
  const list = el("ul", { class: "keys" });
  below.append(bar, list);
  return {
    element,
    update({ samples }) {
      const counts = byLabel(samples, "slackwater_posts_placed_total", "verdict");
      const all = [...counts.values()].reduce((sum, n) => sum + n, 0);
      say(value, count(all));
      const there = VERDICTS.filter(([verdict]) => 0 < (counts.get(verdict) ?? 0));
      const share = (verdict) => (counts.get(verdict) ?? 0) / Math.max(1, all);
      const parts = there.map(([verdict]) => {
        const part = el("span", { class: `part ${verdict}` });
        part.style.flexGrow = String(share(verdict));
        return part;
      });
      fill(bar, ...parts);
      const key = ([verdict, name]) =>
        el("li", { class: verdict, "data-verdict": verdict }, `${name} ${count(counts.get(verdict) ?? 0)}`, el("span", { class: "quiet" }, ` ${percent(share(verdict))}`));
      fill(list, ...there.map(key));
    },
  };
}

function entries() {
  const { element, value, below } = card("Entries written", "entries");
  const text = el("p");
  below.append(text);
  return {
    element,
    update({ samples }) {
      say(value, count(total(samples, "slackwater_entries_written_total")));
      const waiting = total(samples, "slackwater_unwritten_entries");
      const bytes = total(samples, "slackwater_unwritten_bytes");
      say(text, `${counted(waiting, "more waits", "more wait")} in memory for a checkpoint, with ${size(bytes)} of posts`);
    },
  };
}

function lag() {
  const { element, value, below } = card("Still to be read", "lag");
  const text = el("p");
  const list = el("ul", { class: "keys" });
  below.append(text, list);
  return {
    element,
    update({ samples }) {
      const partitions = samples.get("slackwater_lag_records") ?? [];
      const behind = partitions.filter((it) => 0 < it.value).sort((a, b) => b.value - a.value);
      say(value, count(total(samples, "slackwater_lag_records")));
      element.classList.toggle("care", 0 < behind.length);
      say(text, behind.length === 0 ? `All of ${counted(partitions.length, "partition")} is read.` : `records in ${behind.length} of ${counted(partitions.length, "partition")}`);
      const shown = behind.slice(0, PARTITIONS_MAX).map(({ labels, value }) => el("li", {}, `${labels.topic} ${labels.partition}: ${count(value)}`));
      const more = behind.length - PARTITIONS_MAX;
      fill(list, ...shown, 0 < more && el("li", {}, `and ${counted(more, "partition")} more`));
    },
  };
}

function readers() {
  const { element, value, below } = card("Readers connected", "readers");
  const text = el("p");
  below.append(text);
  return {
    element,
    update({ samples }) {
      say(value, count(total(samples, "slackwater_streams")));
      say(text, `${counted(total(samples, "slackwater_accounts"), "account")} with ${counted(total(samples, "slackwater_follows"), "follow")}`);
    },
  };
}

function letters() {
  const { element, value, below } = card("Dead letters", "letters");
  const list = el("ul", { class: "plain" });
  below.append(list);
  return {
    element,
    update({ samples }) {
      const dead = total(samples, "slackwater_dead_letters_total");
      const lost = total(samples, "slackwater_lost_records");
      const damaged = total(samples, "slackwater_log_damaged_records");
      say(value, count(dead));
      element.classList.toggle("care", 0 < dead + lost + damaged);
      fill(
        list,
        el("li", {}, dead === 0 ? "No record was set aside since the start." : "records set aside since the start, since they cannot be used"),
        0 < lost && el("li", {}, `${counted(lost, "record")} were gone from the log before they were read`),
        0 < damaged && el("li", {}, `${counted(damaged, "record")} of the log are damaged`),
      );
    },
  };
}

function disk() {
  const { element, value, below } = card("Feeds on disk", "disk");
  const text = el("p");
  below.append(text);
  return {
    element,
    update({ samples }) {
      say(value, size(total(samples, "slackwater_disk_bytes")));
      const made = total(samples, "slackwater_checkpoint_seconds_count");
      const took = total(samples, "slackwater_checkpoint_seconds_sum");
      say(text, made === 0 ? "no checkpoint yet since the start" : `${counted(made, "checkpoint")} since the start, ${duration((took / made) * 1000)} each`);
    },
  };
}

/** Shown while there is a Mastodon's database to follow. */
function connector() {
  const { element, value, below } = card("Mastodon’s database", "connector");
  const text = el("p");
  below.append(text);
  element.hidden = true;
  return {
    element,
    update({ samples, readiness }) {
      const of = (name) => total(samples, `slackwater_connector_${name}`);
      const isImporting = readiness?.detail.startsWith("importing") === true;
      const isFollowing = of("following") === 1;
      const rows = of("rows_total");
      element.hidden = !(isFollowing || isImporting || 0 < rows + of("records_total") + of("outbox_rows"));
      element.classList.toggle("care", !isFollowing);
      say(value, isFollowing ? "followed" : isImporting ? "import" : "not followed");
      const waiting = `${counted(of("outbox_rows"), "row waits", "rows wait")}, the oldest for ${duration(of("lag_seconds") * 1000)}`;
      say(text, isImporting ? readiness.detail : `${counted(rows, "row")} of the outbox taken; ${waiting}`);
    },
  };
}
