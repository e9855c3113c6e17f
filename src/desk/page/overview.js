// The first page: the service in numbers, and the table of origins.

import { trend } from "./curve.js";
import { el, fill, say } from "./dom.js";
import { byLabel, total } from "./metrics.js";
import { originsTable } from "./origins.js";
import { ago, count, counted, duration, percent, perSecond, size } from "./words.js";

/** The verdicts in the order they are shown in, with what they are called. */
const VERDICTS = /** @type {const} */ ([
  ["in_time", "in time"],
  ["late", "late"],
  ["too_late", "too late"],
  ["from_the_future", "from the future"],
  ["undated", "undated"],
  ["fetched", "fetched"],
]);
/** The share of memory, and of a disk, from which on somebody should look. */
const MEMORY_CARE = 0.9;
const DISK_CARE = 0.9;
/** What the mistakes of a configuration stand behind in `/readyz`. */
const REFUSED = "was refused:";
/** Partitions that lag, of which there is a line each; the others are counted. */
const PARTITIONS_MAX = 6;

/**
 * The first page. `update` is called with everything that was seen of the service last.
 * @returns {import("./app.js").View}
 */
export function overview() {
  const numbers = [records, posts, memory, lag, readers, letters, disk, settings, connector].map((make) => make());
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

/** What waits in memory against its bounds, and the process against what it may use. */
function memory() {
  const { element, value, below } = card("Memory", "memory");
  const whole = bounded("usable memory");
  const entries = bounded("entries, not written yet");
  const bytes = bounded("of posts, not written yet");
  const text = el("p");
  below.append(whole.element, entries.element, bytes.element, text);
  return {
    element,
    update({ samples }) {
      const of = (name) => total(samples, name);
      const resident = of("process_resident_memory_bytes");
      say(value, size(resident));
      const parts = [
        whole.update(resident, of("slackwater_usable_memory_bytes"), size),
        entries.update(of("slackwater_unwritten_entries"), of("slackwater_unwritten_entries_max"), count),
        bytes.update(of("slackwater_unwritten_bytes"), of("slackwater_unwritten_bytes_max"), size),
      ];
      element.classList.toggle("care", MEMORY_CARE <= parts[0]);
      say(text, `${count(of("slackwater_entries_written_total"))} entries written since the start`);
    },
  };
}

/**
 * A part of a bound as a bar, in words below it.
 * @param {string} what the bound is of, after its number
 */
function bounded(what) {
  const bar = el("div", { class: "fill", "aria-hidden": "true" }, el("span", {}));
  const words = el("p");
  const element = el("div", { class: "bounded", hidden: true }, bar, words);
  return {
    element,
    /** The part, from 0 on; 0 if the bound is unknown. */
    update(used, most, inWords) {
      const part = 0 < most ? used / most : 0;
      element.hidden = most <= 0;
      bar.firstElementChild.style.width = `${Math.min(100, part * 100)}%`;
      bar.classList.toggle("full", MEMORY_CARE <= part);
      say(words, `${inWords(used)} of ${inWords(most)} ${what}`);
      return part;
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
  below.append(list, el("p", {}, el("a", { href: "#/dead-letters" }, "All dead letters")));
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
  const { element, value, below } = card("On disk", "disk");
  const list = el("p");
  const frees = new Map(["feeds", "log"].map((folder) => [folder, bounded(`used on the disk of ${folder === "log" ? "the log" : folder}`)]));
  const text = el("p");
  below.append(list, ...[...frees.values()].map((it) => it.element), text);
  return {
    element,
    update({ samples }) {
      const feeds = total(samples, "slackwater_disk_bytes");
      const log = total(samples, "slackwater_log_bytes");
      say(value, size(feeds + log));
      say(list, 0 < log ? `feeds ${size(feeds)}, log ${size(log)}` : `feeds ${size(feeds)}`);
      const free = byLabel(samples, "slackwater_disk_free_bytes", "folder");
      const all = byLabel(samples, "slackwater_disk_size_bytes", "folder");
      let fullest = 0;
      for (const [folder, it] of frees) {
        const most = all.get(folder) ?? 0;
        // Two folders on one disk are told of once.
        const apart = Math.abs((free.get("log") ?? 0) - (free.get("feeds") ?? 0));
        const isSame = folder === "log" && most === all.get("feeds") && apart < most / 1_000;
        const part = it.update(most - (free.get(folder) ?? 0), isSame ? 0 : most, size);
        fullest = Math.max(fullest, part);
      }
      element.classList.toggle("care", DISK_CARE <= fullest);
      const made = total(samples, "slackwater_checkpoint_seconds_count");
      const took = total(samples, "slackwater_checkpoint_seconds_sum");
      say(text, made === 0 ? "no checkpoint yet since the start" : `${counted(made, "checkpoint")} since the start, ${duration((took / made) * 1000)} each`);
    },
  };
}

/** The configuration: how often it was read again, and the mistake for which it was refused. */
function settings() {
  const { element, value, below } = card("Configuration", "settings");
  const text = el("p");
  const mistakes = el("p", { class: "mistakes" });
  const restart = el("p");
  below.append(text, mistakes, restart);
  return {
    element,
    update({ samples, readiness }) {
      const counts = byLabel(samples, "slackwater_config_reloads_total", "outcome");
      const isRefused = total(samples, "slackwater_config_refused") === 1;
      const waiting = total(samples, "slackwater_config_restart_needed");
      const named = [["taken_over", "taken over"], ["unchanged", "unchanged"], ["refused", "refused"]].filter(([outcome]) => 0 < (counts.get(outcome) ?? 0));
      say(value, isRefused ? "refused" : 0 < waiting ? "restart needed" : "in force");
      element.classList.toggle("care", isRefused || 0 < waiting);
      say(text, named.length === 0 ? "not read again since the start" : `read again: ${named.map(([outcome, name]) => `${count(counts.get(outcome))} times ${name}`).join(", ")}`.replace(/\b1 times/g, "once"));
      const detail = readiness?.detail ?? "";
      const at = detail.indexOf(REFUSED);
      say(mistakes, isRefused ? (at === -1 ? "What was saved last has a mistake; what was in force stays so." : detail.slice(at + REFUSED.length).trim()) : "");
      say(restart, 0 < waiting ? `${counted(waiting, "setting that changed waits", "settings that changed wait")} for a restart` : "");
    },
  };
}

/** Shown if Mastodon's database is configured. */
function connector() {
  const { element, value, below } = card("Mastodon’s database", "connector");
  const text = el("p");
  const put = el("p");
  const compared = el("p");
  below.append(text, put, compared);
  element.hidden = true;
  return {
    element,
    update({ samples, readiness, now }) {
      const of = (name) => total(samples, `slackwater_connector_${name}`);
      const comparison = (name) => total(samples, `slackwater_compare_${name}`);
      const detail = readiness?.detail ?? "";
      const isImporting = detail.startsWith("importing");
      const isFollowing = of("following") === 1;
      const unusable = of("unusable_total");
      const at = comparison("last_run_timestamp_seconds");
      const unexplained = comparison("unexplained");
      element.hidden = of("configured") !== 1;
      element.classList.toggle("care", !isFollowing || 0 < unusable + unexplained);
      say(value, isFollowing ? "followed" : isImporting ? "import" : "not followed");
      const waiting = `${counted(of("outbox_rows"), "row waits", "rows wait")} in the outbox, the oldest for ${duration(of("lag_seconds") * 1000)}; ${counted(of("rows_total"), "row")} taken`;
      say(text, isFollowing ? waiting : detail);
      say(put, `${counted(of("records_total"), "record")} made, ${counted(of("healed_total"), "relation")} put right${0 < unusable ? `, ${count(unusable)} found that cannot be used` : ""}`);
      const differences = `${count(comparison("only_in_mastodon"))} posts only in Mastodon’s homes, ${count(comparison("only_here"))} only here, ${count(comparison("moved"))} moved, ${count(unexplained)} without a reason`;
      const failed = comparison("failed");
      say(compared, at === 0 ? "" : `Compared ${ago(new Date(at * 1000).toISOString(), now)}: ${counted(comparison("accounts"), "account")}${0 < failed ? `, ${count(failed)} not` : ""}; ${differences}.`);
    },
  };
}
