// The page's functions of numbers and texts, by Node's own test runner: node --test tests/desk/*.test.mjs

import assert from "node:assert/strict";
import test from "node:test";
import { along, at, axisEnd, histogram, shareRange, shareWithin, windowFor } from "../../src/desk/page/curve.js";
import { byLabel, parse, total } from "../../src/desk/page/metrics.js";
import { pageOf, shareInTime } from "../../src/desk/page/origins.js";
import { ago, clockTime, configured, count, duration, percent, size } from "../../src/desk/page/words.js";

test("samples are read with their labels, whatever stands in them", () => {
  const samples = parse(
    [
      "# HELP slackwater_records_read Records, read {by topic} 7",
      '# TYPE slackwater_records_read counter',
      'slackwater_records_read_total{topic="activities"} 17',
      'slackwater_records_read_total{topic="relationships"} 11 1700000000.5',
      'slackwater_origin_posts_total{origin="a\\"}\\\\\\n.example",verdict="late"} 2',
      "slackwater_ready 1",
      "slackwater_seconds_sum 0.25 # {trace=\"x\"} 1",
      'slackwater_seconds_bucket{le="+Inf"} +Inf',
      "slackwater_broken{le=\"1\" 3",
      "slackwater_empty ",
      "slackwater_word seven",
      "# EOF",
      "",
    ].join("\n"),
  );
  assert.equal(total(samples, "slackwater_records_read_total"), 28);
  assert.deepEqual([...byLabel(samples, "slackwater_records_read_total", "topic")], [["activities", 17], ["relationships", 11]]);
  const [post] = samples.get("slackwater_origin_posts_total");
  assert.deepEqual(post.labels, { origin: 'a"}\\\n.example', verdict: "late" });
  assert.equal(total(samples, "slackwater_ready"), 1);
  assert.equal(total(samples, "slackwater_seconds_sum"), 0.25);
  assert.equal(total(samples, "slackwater_seconds_bucket"), Infinity);
  for (const none of ["slackwater_broken", "slackwater_empty", "slackwater_word"]) assert.equal(samples.has(none), false, none);
  assert.equal(total(samples, "slackwater_nothing"), 0);
});

test("durations have one or two units, and never sixty of the smaller", () => {
  const cases = {
    0: "0 ms", 999: "999 ms", 1_000: "1 s", 2_500: "2.5 s", 12_400: "12 s", 59_400: "59 s", 59_600: "1 min", 90_000: "1 min 30 s",
    902_000: "15 min 2 s", 3_599_800: "1 h", 5_400_000: "1 h 30 min", 86_399_000: "1 d", 100_800_000: "1 d 4 h", 864_000_000: "10 d",
  };
  for (const [ms, words] of Object.entries(cases)) assert.equal(duration(Number(ms)), words, ms);
});

test("a window for the configuration is never shorter than was asked", () => {
  const cases = { 0: "0ms", 250: "250ms", 1_000: "1s", 1_001: "2s", 90_000: "90s", 119_500: "2m", 985_822: "16m 26s", 3_600_000: "1h", 5_430_000: "1h 30m 30s" };
  for (const [ms, words] of Object.entries(cases)) assert.equal(configured(Number(ms)), words, ms);
});

test("what is not quite all or nothing is not shown as all or nothing", () => {
  const cases = [[0, "0 %"], [0.0004, "< 0.1 %"], [0.5, "50 %"], [0.9876, "98.8 %"], [0.9996, "> 99.9 %"], [1, "100 %"]];
  for (const [share, words] of cases) assert.equal(percent(share), words);
  assert.equal(count(1234567), "1,234,567");
  assert.equal(size(19_918), "19.5 KiB");
  assert.equal(size(12), "12 B");
});

test("times are told from now", () => {
  const now = Date.parse("2026-11-22T10:15:02Z");
  assert.equal(ago("2026-11-22T10:15:01.500Z", now), "just now");
  assert.equal(ago("2026-11-22T10:00:00Z", now), "15 min ago");
  assert.equal(ago("nonsense", now), "unknown");
  assert.equal(clockTime("2026-11-22T10:00:00Z", now), "10:00:00");
  assert.equal(clockTime("2026-11-21T10:00:00Z", now), "2026-11-21 10:00:00");
});

const curve = [
  { window_ms: 1_000, share: 0.25 },
  { window_ms: 60_000, share: 0.25 },
  { window_ms: 900_000, share: 1 },
];

test("a window finds what the longest known one finds that is no longer", () => {
  const cases = [[0, 0], [999, 0], [1_000, 0.25], [899_999, 0.25], [900_000, 1], [1e12, 1]];
  for (const [ms, share] of cases) assert.equal(shareWithin(curve, ms), share, String(ms));
  assert.equal(windowFor(curve, 0.2), 1_000);
  assert.equal(windowFor(curve, 0.99), 900_000);
  assert.equal(windowFor([], 0.5), null);
  assert.deepEqual(histogram(curve).map((bar) => bar.share), [0.25, 0, 0.75]);
});

test("the axis goes there and back", () => {
  for (const place of [0, 0.3, 0.77, 1]) assert.ok(Math.abs(along(at(place)) - place) < 1e-9);
  assert.equal(along(0), 0);
  assert.equal(along(1e15), 1);
});

const origin = (host, in_time, late, too_late = 0) => ({
  host, posts: { in_time, late, too_late }, delay_ms: null, reorder_window_ms: 0, last_heard: "2026-11-22T10:00:00Z",
});

test("origins are sorted, found and shown in pages", () => {
  const origins = Array.from({ length: 45 }, (_, n) => origin(`h${String(n).padStart(2, "0")}.example`, n, 45 - n));
  const wanted = { key: "late", order: "descending", word: "", page: 0 };
  const first = pageOf(origins, wanted);
  assert.deepEqual([first.rows.length, first.rows[0].host, first.found, first.pages], [20, "h00.example", 45, 3]);
  const last = pageOf(origins, { ...wanted, page: 9 });
  assert.deepEqual([last.page, last.rows.length, last.rows.at(-1).host], [2, 5, "h44.example"]);
  const found = pageOf(origins, { ...wanted, key: "host", word: " H4" });
  assert.deepEqual(found.rows.map((it) => it.host.slice(0, 3)), ["h44", "h43", "h42", "h41", "h40"]);
  const equal = pageOf([origin("b", 1, 1), origin("a", 1, 1)], wanted);
  assert.deepEqual(equal.rows.map((it) => it.host), ["a", "b"]);
  assert.equal(shareInTime(origin("a", 3, 1)), 0.75);
  assert.equal(shareInTime(origin("a", 0, 0)), null);
});

test("of a window between two steps it is known what it finds at least and at most", () => {
  const curve = [{ window_ms: 1_000, share: 0.1 }, { window_ms: 4_000, share: 0.7 }, { window_ms: 8_000, share: 1 }];
  for (const [ms, range] of [[500, [0, 0.1]], [1_000, [0.1, 0.1]], [2_000, [0.1, 0.7]], [8_000, [1, 1]], [9_000, [1, 1]]]) {
    assert.deepEqual(shareRange(curve, ms), range, String(ms));
  }
});

test("the axis of one origin ends well past its delays and its window", () => {
  const curve = [{ window_ms: 4_000, share: 0.7 }, { window_ms: 8_000, share: 1 }, { window_ms: 864_000_000, share: 1 }];
  assert.equal(axisEnd(curve, 2_000), 60_000);
  assert.equal(axisEnd(curve, 100_000), 600_000);
  assert.equal(axisEnd([{ window_ms: 864_000_000, share: 1 }], 0), 864_000_000);
  for (const place of [0, 0.3, 1]) assert.ok(Math.abs(along(at(place, 60_000), 60_000) - place) < 1e-9);
});
