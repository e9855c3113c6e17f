// Elements made of plain values. Text from outside (hosts, posts, names) becomes a text node and nothing else: no function here
// reads markup.

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, unknown>} Attributes
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. An attribute that is null or false is left out, and one that is true is empty; a function is a listener under
 * its name without `on`.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {any}
 */
export function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {any}
 */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * Puts children in the place of those that an element has.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/**
 * Sets a text if it is another one, so that nothing is announced or selected anew for no reason.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Puts elements into a parent in their order, and moves none that stands right. The one with the focus keeps it.
 * @param {Element} parent
 * @param {Element[]} elements
 */
export function place(parent, elements) {
  const focused = document.activeElement;
  const wanted = new Set(elements);
  for (const there of [...parent.children]) if (!wanted.has(there)) there.remove();
  elements.forEach((element, n) => {
    if (parent.children[n] !== element) parent.insertBefore(element, parent.children[n] ?? null);
  });
  if (focused !== document.activeElement && focused instanceof HTMLElement && parent.contains(focused)) focused.focus();
}

function filled(element, attributes = {}, children = []) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  const there = children.filter((child) => child !== null && child !== undefined && child !== false);
  return there.map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}
