// The text of `/metrics` as numbers: the part of OpenMetrics (1.0.0) that samples are written in. Functions of their arguments.

/**
 * @typedef {{ labels: Record<string, string>, value: number }} Sample
 * @typedef {Map<string, Sample[]>} Samples by name
 */

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(,?)/;
const NUMBERS = { "+Inf": Infinity, Inf: Infinity, "-Inf": -Infinity, NaN: NaN };

/**
 * All samples of a text. A line that is none is passed over.
 * @param {string} text
 * @returns {Samples}
 */
export function parse(text) {
  /** @type {Samples} */
  const samples = new Map();
  for (const line of text.split("\n")) {
    const found = sample(line);
    if (!found) continue;
    const known = samples.get(found.name);
    if (known) known.push(found);
    else samples.set(found.name, [found]);
  }
  return samples;
}

/**
 * The sum of the samples of a name, 0 if there are none.
 * @param {Samples} samples
 * @param {string} name
 */
export function total(samples, name) {
  return (samples.get(name) ?? []).reduce((sum, { value }) => sum + value, 0);
}

/**
 * The samples of a name by one of their labels.
 * @param {Samples} samples
 * @param {string} name
 * @param {string} label
 * @returns {Map<string, number>}
 */
export function byLabel(samples, name, label) {
  const sums = new Map();
  for (const { labels, value } of samples.get(name) ?? []) {
    const word = labels[label] ?? "";
    sums.set(word, (sums.get(word) ?? 0) + value);
  }
  return sums;
}

function sample(line) {
  const name = NAME.exec(line)?.[0];
  if (!name) return null;
  let rest = line.slice(name.length);
  /** @type {Record<string, string>} */
  const labels = {};
  if (rest.startsWith("{")) {
    rest = rest.slice(1);
    for (let label; (label = LABEL.exec(rest)); rest = rest.slice(label[0].length)) {
      labels[label[1]] = label[2].replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    }
    if (!rest.startsWith("}")) return null;
    rest = rest.slice(1);
  }
  const [word] = rest.trim().split(" ");
  const value = NUMBERS[word] ?? (word === "" ? NaN : Number(word));
  return Number.isNaN(value) && word !== "NaN" ? null : { name, labels, value };
}
