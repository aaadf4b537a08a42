/** What is sent instead of a file: pieces of it, and a few bytes that replace others. Nothing is made before it is read. */

import { joined } from "./bytes.js";

// What is kept of the file in one piece at most, where a piece can be as large as one likes.
const PIECE = 1024 * 1024;

/** The pieces in order. A piece is {size, make}: `make` reads from a Source, and resolves to so many bytes. */
export class Recipe {
  #pieces = [];
  #starts = []; // where each begins
  #latest = { number: -1, bytes: null };
  size = 0;

  /** Adds bytes that are known. */
  put(bytes) {
    this.#add({ size: bytes.length, make: async () => bytes });
  }

  /** Adds a range of the file. */
  keep(start, stop) {
    for (let at = start; at < stop; at += PIECE) {
      const size = Math.min(PIECE, stop - at);
      this.#add({ size, make: async (source) => source.bytes(at, size) });
    }
  }

  /** Adds small ranges of the file, in order: flat pairs of start and length, in a typed array. */
  keepAll(ranges) {
    let [first, size] = [0, 0];
    const add = (stop) => {
      const chosen = ranges.subarray(first, stop);
      this.#add({ size, make: (source) => gathered(source, chosen) });
      [first, size] = [stop, 0];
    };
    for (let at = 0; at < ranges.length; at += 2) {
      if (size + ranges[at + 1] > PIECE) add(at);
      if (ranges[at + 1] > PIECE) {
        this.keep(ranges[at], ranges[at] + ranges[at + 1]);
        first = at + 2;
      } else {
        size += ranges[at + 1];
      }
    }
    add(ranges.length);
  }

  /** Adds a piece of `size` bytes that `make` makes of the file when it is needed. */
  later(size, make) {
    this.#add({ size, make });
  }

  /** The bytes from `start` to `stop`, as an array that is the caller's own. */
  async read(source, start, stop) {
    const parts = [];
    for (let at = start; at < Math.min(stop, this.size); at += parts.at(-1).length) {
      const number = this.#at(at);
      const from = at - this.#starts[number];
      parts.push((await this.#made(source, number)).subarray(from, from + stop - at));
    }
    return joined(parts);
  }

  #add(piece) {
    if (!piece.size) return;
    this.#pieces.push(piece);
    this.#starts.push(this.size);
    this.size += piece.size;
  }

  // Bisection: the piece in which a position lies.
  #at(position) {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // The piece that was read last may be needed for what follows.
  async #made(source, number) {
    if (this.#latest.number !== number) {
      const { size, make } = this.#pieces[number];
      const bytes = await make(source);
      if (bytes.length !== size) throw new Error("the file changed while it was sent");
      this.#latest = { number, bytes: bytes.slice() };
    }
    return this.#latest.bytes;
  }
}

async function gathered(source, ranges) {
  const parts = [];
  for (let at = 0; at < ranges.length; at += 2) parts.push((await source.bytes(ranges[at], ranges[at + 1])).slice());
  return joined(parts);
}
