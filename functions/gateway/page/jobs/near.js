/**
 * Which rows are whole, and not their names alone: those near where one looks. They are watched by groups: a browser that watches
 * thousands of rows is slow to scroll.
 */

const GROUP = 10; // rows
// So far around the window; above it, from where a group begins, which is to have passed when its end does.
const AROUND = "2500px 0px 1500px";

export class Near {
  #rowOf;
  #heads = new Set(); // the first element of each group
  #seen = new Set(); // those of them that are near
  #count = 0;
  #last = null; // head
  #observer = new IntersectionObserver((seen) => seen.forEach((each) => this.#look(each)), { rootMargin: AROUND });

  /** `rowOf(element)` gives the Row of an element of the list. */
  constructor(rowOf) {
    this.#rowOf = rowOf;
  }

  /** One was put at the end of the list. */
  append(element) {
    if (this.#count++ % GROUP === 0) this.#begin(element);
    else if (this.#seen.has(this.#last)) this.#rowOf(element).fill();
  }

  /** One is about to leave the list. */
  remove(element) {
    if (!this.#heads.has(element)) return;
    this.#end(element);
    const next = element.nextElementSibling;
    if (next && !this.#heads.has(next)) this.#begin(next);
  }

  /** All have left the list. */
  clear() {
    this.#heads.forEach((each) => this.#end(each));
    [this.#count, this.#last] = [0, null];
  }

  #begin(element) {
    this.#heads.add(element);
    this.#last = element;
    this.#observer.observe(element);
  }

  #end(element) {
    this.#heads.delete(element);
    this.#seen.delete(element);
    this.#observer.unobserve(element);
  }

  #look({ isIntersecting, boundingClientRect, target }) {
    if (isIntersecting) {
      this.#seen.add(target);
      this.#groupOf(target).forEach((row) => row.fill());
    } else if (boundingClientRect.height) { // in a view that is not shown nothing is near: there it stays as it is
      this.#seen.delete(target);
      empty(this.#groupOf(target));
    }
  }

  #groupOf(head) {
    const group = [];
    for (let each = head; each && (each === head || !this.#heads.has(each)); each = each.nextElementSibling) group.push(this.#rowOf(each));
    return group;
  }
}

// They stay as high as they were, or what is below would move. First all are measured, then all changed: the browser lays out once.
function empty(rows) {
  const heights = rows.map(({ element }) => element.offsetHeight);
  rows.forEach((row, at) => row.empty(heights[at]));
}
