/**
 * The rows of the list, in parts: a part that is far away is one thing for the browser, which then lays out, paints and watches none
 * of its rows; and these are their names alone (row.js).
 */

import { make } from "../core/dom.js";

const ROWS = 10; // in a part
const AROUND = "200% 0px"; // so many windows away rows become whole: sooner than a browser lays them out

export class Parts {
  #list;
  #rowOf;
  #near = new Set(); // parts
  #observer = new IntersectionObserver((seen) => seen.forEach((each) => this.#look(each)), { rootMargin: AROUND });

  /** `list` is the element that they are in; `rowOf(element)` gives the Row of one of its rows. */
  constructor(list, rowOf) {
    this.#list = list;
    this.#rowOf = rowOf;
  }

  /** Puts a row before another one, both as elements; at the end without one. */
  place(element, next) {
    if (next) return next.before(element);
    const part = this.#last();
    part.append(element);
    if (this.#near.has(part)) this.#rowOf(element).fill();
  }

  remove(element) {
    const part = element.parentElement;
    element.remove();
    if (part.childElementCount) return;
    this.#observer.unobserve(part);
    this.#near.delete(part);
    part.remove();
  }

  clear() {
    this.#observer.disconnect();
    this.#near.clear();
    this.#list.replaceChildren();
  }

  /** The row after this one, else the one before it; undefined where it is the only one. */
  beside({ nextElementSibling: next, previousElementSibling: before, parentElement: part }) {
    return next ?? part.nextElementSibling?.firstElementChild ?? before ?? part.previousElementSibling?.lastElementChild;
  }

  #last() {
    const last = this.#list.lastElementChild;
    if (last?.childElementCount < ROWS) return last;
    const made = make("div", "jobs-part");
    this.#list.append(made);
    this.#observer.observe(made);
    return made;
  }

  #look({ isIntersecting, boundingClientRect, target }) {
    const rows = [...target.children].map(this.#rowOf);
    if (isIntersecting) {
      this.#near.add(target);
      rows.forEach((row) => row.fill());
    } else if (boundingClientRect.height) { // in a view that is not shown nothing is near: there it stays as it is
      this.#near.delete(target);
      rows.forEach((row) => row.empty());
    }
  }
}
