/** What is sent instead of a file: pieces of it, and a few bytes that replace others. */

import { sure } from "./source.js";

// What is larger is not read, but stays a reference to the file.
const DIRECT = 64 * 1024;
// So much is gathered before it goes to the browser's own store, which puts blobs on disk when they become too many.
const GATHERED = 4 * 1024 * 1024;
// Pieces so close to each other are read at once, and so much at once.
const [GAP, SPAN] = [64 * 1024, 1024 * 1024];
// What is read goes into that store: a file with more sound than this in small pieces is sent as it is.
const MAX_READ = 1024 * 1024 * 1024;
// Saving less than a fifth is not worth the risk.
const WORTHWHILE = 0.8;

/** Puts them together in order. Everything throws Unsure once so much is to be sent that little is saved. */
export class Parts {
  #source;
  #done = []; // blobs, and bytes that can still be changed
  #buffer = new Uint8Array(GATHERED);
  #filled = 0;
  #read = 0;
  size = 0;

  constructor(source) {
    this.#source = source;
  }

  /** Adds bytes, of which a copy is taken. */
  put(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + GATHERED - this.#filled);
      this.#buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === GATHERED) this.#flush();
    }
    this.#count(bytes.length);
  }

  /** Adds bytes that may be changed until the end. */
  hold(bytes) {
    this.#flush();
    this.#done.push(bytes);
    this.#count(bytes.length);
  }

  /** Adds a range of the file. */
  async keep(start, stop) {
    await this.keepAll(Float64Array.of(start, stop - start));
  }

  /** Adds ranges of the file, in order: flat pairs of start and length, in a typed array. */
  async keepAll(ranges) {
    for (let at = 0; at < ranges.length; ) {
      const span = spanAt(ranges, at);
      if (span.isLarge) this.#refer(span);
      else await this.#gather(ranges, span);
      at = span.next;
    }
  }

  /** All of it as one Blob of this type. */
  blob(type) {
    this.#flush();
    return new Blob(this.#done, { type });
  }

  #refer({ start, stop }) {
    this.#flush();
    this.#done.push(this.#source.slice(start, stop - start));
    this.#count(stop - start);
  }

  async #gather(ranges, { first, next, start, stop }) {
    const bytes = await this.#source.exactly(start, stop - start);
    for (let at = first; at < next; at += 2) this.put(bytes.subarray(ranges[at] - start, ranges[at] - start + ranges[at + 1]));
  }

  #flush() {
    if (!this.#filled) return;
    this.#done.push(new Blob([this.#buffer.subarray(0, this.#filled)]));
    this.#read += this.#filled;
    this.#filled = 0;
    sure(this.#read <= MAX_READ, "there is too much sound in small pieces");
  }

  #count(size) {
    this.size += size;
    sure(this.size <= WORTHWHILE * this.#source.size, "little would be saved");
  }
}

/** One large range, or neighbours that are read with one access, which costs more than a few bytes that are not needed. */
function spanAt(ranges, first) {
  const start = ranges[first];
  let [stop, next] = [start + ranges[first + 1], first + 2];
  const isLarge = stop - start > DIRECT;
  const isNear = (from, size) => size <= DIRECT && from >= stop && from - stop <= GAP && from + size - start <= SPAN;
  for (; !isLarge && next < ranges.length && isNear(ranges[next], ranges[next + 1]); next += 2) stop = ranges[next] + ranges[next + 1];
  return { first, next, start, stop, isLarge };
}
