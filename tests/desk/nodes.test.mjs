// The page's functions of nodes and shards: node --test tests/desk/*.test.mjs

import assert from "node:assert/strict";
import test from "node:test";
import { runs, shardsInWords, unserved } from "../../src/desk/page/nodes.js";

const node = (serves, more = {}) => ({ node: "a", address: null, live: true, heard_seconds_ago: 0, leaving: false, away: false, shards: 8, serves, standby: [], claims: [], cannot_reach: [], agrees: true, program: null, ...more });

test("neighbours among shards are one run, whatever their order", () => {
  assert.deepEqual(runs([]), []);
  assert.deepEqual(runs([5, 3, 4, 0, 10]), [[0, 0], [3, 5], [10, 10]]);
});

test("shards are named, and of many the rest is counted", () => {
  assert.equal(shardsInWords([0, 3, 4, 5, 7, 8]), "0, 3 to 5, 7, 8");
  const odd = Array.from({ length: 20 }, (_, n) => 2 * n + 1);
  assert.equal(shardsInWords(odd), "1, 3, 5, 7, 9, 11, 13, 15 and 12 more");
});

test("a shard is served if a node that lives serves it, by however many it counts", () => {
  const all = (nodes, shards = 8) => unserved({ node: "a", shards, nodes });
  assert.deepEqual(all([node([0, 1, 2, 3]), node([4, 5, 6])]), [7]);
  assert.deepEqual(all([node([0, 1, 2, 3, 4, 5, 6, 7], { live: false })]).length, 8);
  const grown = node([0, 4, 8, 12, 1], { shards: 16 });
  assert.deepEqual(all([grown, node([1, 2, 3], { shards: 4 })]), []);
  assert.deepEqual(all([grown, node([2, 3], { shards: 4 })]), [5, 9, 13], "by the larger number");
  assert.deepEqual(all([], 2), [0, 1]);
});
