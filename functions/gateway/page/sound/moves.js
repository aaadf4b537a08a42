/** Where parts of a file were, and where they come to lie. */

import { sure } from "./source.js";

const MOST = 4_000_000;

export class Moves {
  #olds = [];
  #news = [];
  #marked = new Set();

  /** What is added comes in the order of the file. */
  add(old, now) {
    sure(this.#olds.length < MOST, "it has too many parts");
    this.#olds.push(old);
    this.#news.push(now);
  }

  mark(old) {
    this.#marked.add(old);
  }

  isMarked(old) {
    return this.#marked.has(old);
  }

  has(old) {
    return this.#olds[this.#upTo(old)] === old;
  }

  /** The place of what was there. Throws Unsure where nothing begins. */
  of(old) {
    const found = this.#upTo(old);
    sure(this.#olds[found] === old, "an index leads nowhere");
    return this.#news[found];
  }

  /** The place of the last part that was there or before; what others are counted from may be anywhere. */
  near(old) {
    return this.#news[Math.max(this.#upTo(old), 0)] ?? 0;
  }

  // Bisection.
  #upTo(old) {
    let [low, high] = [0, this.#olds.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#olds[middle] <= old) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
