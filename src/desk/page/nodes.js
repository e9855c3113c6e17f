// The nodes of a cluster: who lives, which shards each has, and what is wrong between them. Shown where there are several.

import { el, fill, place, say, svg } from "./dom.js";
import { counted, duration } from "./words.js";

/**
 * @typedef {{ node: string, address: string | null, live: boolean, heard_seconds_ago: number, leaving: boolean, away: boolean,
 *   shards: number | null, serves: number[], standby: number[], claims: number[], cannot_reach: string[], agrees: boolean,
 *   program: string | null }} Node
 * @typedef {{ node: string | null, shards: number, nodes: Node[] }} Nodes as GET /v1/nodes says
 */

/** In which ways a node has shards, with what they are called. A shard that is had in two is drawn as the first. */
const WAYS = /** @type {const} */ ([
  ["serves", "serves"],
  ["claims", "is about to have"],
  ["standby", "stands by for"],
]);
/** Runs of shards that are named; of more, the others are counted. */
const RUNS_MAX = 8;

/**
 * Numbers in order as runs of neighbours, each from its first to its last.
 * @param {number[]} shards
 */
export function runs(shards) {
  const found = /** @type {[number, number][]} */ ([]);
  for (const shard of [...shards].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && last[1] + 1 === shard) last[1] = shard;
    else found.push([shard, shard]);
  }
  return found;
}

/**
 * Shards in words: `0, 3 to 5`.
 * @param {number[]} shards
 */
export function shardsInWords(shards) {
  const all = runs(shards);
  const words = all.slice(0, RUNS_MAX).map(([first, last]) => (first === last ? `${first}` : first + 1 === last ? `${first}, ${last}` : `${first} to ${last}`));
  const rest = all.slice(RUNS_MAX).reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return `${words.join(", ")}${0 < rest ? ` and ${rest} more` : ""}`;
}

/**
 * The shards that no live node serves. Nodes may count by different numbers of shards while partitions are added: those of the largest
 * are told.
 * @param {Nodes} nodes
 */
export function unserved({ shards, nodes }) {
  const live = nodes.filter((node) => node.live && node.shards);
  const all = Math.max(shards, ...live.map((node) => node.shards));
  const served = live.map((node) => ({ by: node.shards, serves: new Set(node.serves) }));
  return Array.from({ length: all }, (_, shard) => shard).filter((shard) => !served.some(({ by, serves }) => serves.has(shard % by)));
}

/** @returns {import("./app.js").View} */
export function nodesPage() {
  const note = el("p", { class: "waits", role: "status" });
  const lacking = el("p", { class: "lacking", role: "status" });
  const legend = el("ul", { class: "legend ways", hidden: true }, ...WAYS.map(([way, name]) => el("li", { class: way }, name)));
  const list = el("div");
  const rows = new Map();
  const element = el(
    "div",
    {},
    el("h1", {}, "Nodes"),
    el("p", { class: "quiet" }, "The nodes that share the accounts, as the one that was asked knows them. A shard is a part of the accounts; each strip has all of them, from the first to the last."),
    note,
    lacking,
    legend,
    list,
  );
  return {
    title: "Nodes",
    element,
    update({ nodes }) {
      if (!nodes) return;
      legend.hidden = nodes.node === null;
      if (nodes.node === null) {
        say(note, "This is the only node.");
        return;
      }
      const live = nodes.nodes.filter((node) => node.live);
      const nobody = unserved(nodes);
      say(note, `${counted(live.length, "node lives", "nodes live")}. ${nobody.length === 0 ? `Each of ${counted(nodes.shards, "shard")} is served.` : ""}`.trim());
      say(lacking, nobody.length === 0 ? "" : `${counted(nobody.length, "shard is", "shards are")} served by nobody: ${shardsInWords(nobody)}.`);
      const names = new Set(nodes.nodes.map(({ node }) => node));
      for (const name of rows.keys()) if (!names.has(name)) rows.delete(name);
      place(list, nodes.nodes.map((node) => {
        const row = rows.get(node.node) ?? newRow(node.node);
        rows.set(node.node, row);
        row.update(node, nodes);
        return row.element;
      }));
    },
  };
}

function newRow(name) {
  const badges = el("span", { class: "badges" });
  const where = el("p", { class: "quiet small" });
  const strip = el("div", { class: "strip" });
  const words = el("p", { class: "small" });
  const wrong = el("ul", { class: "lacking small" });
  const element = el("section", { class: "sheet node", "data-node": name }, el("h2", {}, name, " ", badges), where, strip, words, wrong);
  let drawn = "";
  return {
    element,
    /** @param {Node} node @param {Nodes} nodes */
    update(node, nodes) {
      const states = [
        node.node === nodes.node && ["own", "this one"],
        node.leaving ? ["wait", "leaves"] : node.live ? ["good", "lives"] : ["bad", "gone"],
        !node.agrees && ["bad", "other settings"],
        node.away && node.live && ["bad", "cannot be reached"],
      ].filter(Boolean);
      const badge = ([kind, text]) => el("span", { class: `badge ${kind}` }, text);
      const shown = JSON.stringify(states);
      if (badges.dataset.shown !== shown) fill(badges, ...states.map(badge));
      badges.dataset.shown = shown;
      const heard = `heard ${duration(node.heard_seconds_ago * 1000)} ago`;
      say(where, [node.address ?? "what it says cannot be read", node.program && `version ${node.program}`, heard].filter(Boolean).join(" · "));
      const has = node.live ? WAYS.map(([way, called]) => [way, called, node[way]]).filter(([, , shards]) => 0 < shards.length) : [];
      const sentence = has.map(([, called, shards]) => `${called} ${counted(shards.length, "shard")}`).join(", ");
      say(words, !node.live ? "" : sentence === "" ? "has no shards" : sentence);
      const drawing = JSON.stringify([node.live, node.shards, has]);
      if (drawing !== drawn) fill(strip, node.live && picture(node, has));
      drawn = drawing;
      const says = (other) => other.live && other.node !== nodes.node && other.cannot_reach.includes(node.node);
      const by = nodes.nodes.filter(says).map((other) => other.node);
      const faults = [
        !node.agrees && "Its settings decide feeds otherwise than those of the node that has run longest: it serves nothing.",
        node.away && node.live && "The node that was asked could not connect to it lately.",
        0 < by.length && `Cannot be reached by ${by.join(", ")}.`,
        node.live && node.shards !== null && node.shards !== nodes.shards && `It counts ${counted(node.shards, "shard")}, and the node that was asked ${nodes.shards}: partitions were added.`,
      ].filter(Boolean);
      if (wrong.textContent !== faults.join("")) fill(wrong, ...faults.map((fault) => el("li", {}, fault)));
      element.classList.toggle("care", 0 < faults.length);
    },
  };
}

/** All shards from left to right, with those that a node has. */
function picture(node, has) {
  const all = Math.max(1, node.shards ?? 1);
  const label = has.map(([, called, shards]) => `${called} ${shardsInWords(shards)}`).join("; ");
  const bars = [...has].reverse().flatMap(([way, , shards]) => runs(shards).map(([first, last]) => svg("rect", { class: way, x: first, y: 0, width: last - first + 1, height: 1 })));
  return svg("svg", { class: "shards", viewBox: `0 0 ${all} 1`, preserveAspectRatio: "none", role: "img", "aria-label": label === "" ? "no shards" : label }, ...bars);
}
