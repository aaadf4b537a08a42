/** What is sent instead of a file: ranges of it, and a few bytes that replace others. Nothing of it is read before it is sent. */

import { Excerpt } from "./excerpt.js";
import { Literals } from "./literals.js";
import { Segments } from "./segments.js";
import { sure } from "./source.js";

// Saving less than a fifth is not worth the risk.
const WORTHWHILE = 0.8;

/** Puts them together in order. Everything throws Unsure once so much is to be sent that little is saved. */
export class Parts {
  #source;
  #segments = new Segments();
  #literals = new Literals();
  size = 0;

  constructor(source) {
    this.#source = source;
  }

  /** Adds bytes, of which a copy is taken. Gives what `rewrite` wants to know. */
  put(bytes) {
    const address = this.#literals.add(bytes);
    this.#segments.addLiteral(address, bytes.length);
    this.#count(bytes.length);
    return address;
  }

  /** Puts other bytes in the place of as many that were put. */
  rewrite(address, bytes) {
    this.#literals.write(address, bytes);
  }

  /** Adds a range of the file. */
  keep(start, stop) {
    sure(start >= 0 && start <= stop && stop <= this.#source.size, "it reaches beyond the end of the file");
    this.#segments.addRange(start, stop - start);
    this.#count(stop - start);
  }

  /** All of it as one Excerpt. */
  done() {
    return new Excerpt(this.#source.another(), this.#segments, this.#literals);
  }

  #count(size) {
    this.size += size;
    sure(this.size <= WORTHWHILE * this.#source.size, "little would be saved");
  }
}
