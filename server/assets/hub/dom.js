// The few ways this page touches the document. Text only ever goes in as text, never as markup,
// and a row that stays keeps its element, so selection, focus and scrolling survive an update.

import { t } from "./words.js";

/** A new element with a class and children (elements or text). */
export function el(tag, name = "", ...children) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  node.append(...children);
  return node;
}

/** The element marked data-part="name" inside `root`. */
export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** Writes text only when it differs. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Puts children into `node` unless it already reads the same, so that a selection survives. */
export function put(node, ...children) {
  const text = children.map((child) => child.textContent ?? child).join("");
  if (node.textContent !== text || !node.hasChildNodes()) node.replaceChildren(...children);
}

let pointerMovedAt = -Infinity;
document.addEventListener("pointermove", () => {
  pointerMovedAt = performance.now();
}, { passive: true });

/** Whether somebody is pointing into `node`; a pointer left lying for ten seconds is nobody. */
export function pointed(node) {
  return node.matches(":hover") && performance.now() - pointerMovedAt < 10_000;
}

/** Fills every element marked data-t="key" inside `root` with its words. */
export function fillWords(root) {
  for (const node of root.querySelectorAll("[data-t]")) say(node, t(node.dataset.t));
  for (const node of root.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", t(node.dataset.tLabel));
  }
}

/** Clones the template `id` into `parent`, replacing what was there. */
export function show(parent, id) {
  parent.replaceChildren(document.getElementById(id).content.cloneNode(true));
  fillWords(parent);
  return parent;
}

/** A text in Chinese whatever the page's language is: names of places, people, offices. */
export function chinese(text, name = "") {
  const node = el("span", name, text);
  node.lang = "zh-CN";
  return node;
}

/**
 * Makes the children of `parent` match `list`: `key(entry)` names a row, `make()` builds one,
 * `fill(row, entry)` writes it. With `stay` true, rows already there keep their places.
 */
export function syncRows(parent, list, { key, make, fill, stay = false }) {
  const wanted = new Map(list.map((entry) => [key(entry), entry]));
  const there = new Map();
  for (const row of [...parent.children]) {
    if (wanted.has(row.rowKey)) there.set(row.rowKey, row);
    else row.remove();
  }
  const order = stay ? new Set([...there.keys(), ...wanted.keys()]) : wanted.keys();
  let place = parent.firstElementChild;
  for (const name of order) {
    const row = there.get(name) ?? make();
    row.rowKey = name;
    fill(row, wanted.get(name));
    if (row === place) place = place.nextElementSibling;
    else parent.insertBefore(row, place);
  }
}
