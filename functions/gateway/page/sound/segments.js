/** Which bytes are sent, in order, as numbers: some bytes for each range, however large the file is. */

import { sure } from "./source.js";

const BLOCK = 64 * 1024;
// 48 MB of numbers: more than a day of sound that alternates with pictures.
const MOST = 4_000_000;
const LONGEST = 2 ** 31;

/** Ranges of a file, and of what replaces a part of it (Literals), which are told apart by the sign of where they begin. */
export class Segments {
  #blocks = []; // {place, froms, lengths, count}
  #count = 0;
  size = 0;

  addRange(start, length) {
    for (let at = 0; at < length; at += LONGEST) this.#add(start + at, Math.min(length - at, LONGEST));
  }

  addLiteral(address, length) {
    if (length) this.#add(-1 - address, length);
  }

  #add(from, length) {
    const last = this.#blocks.at(-1);
    if (last && this.#joins(last, from, length)) last.lengths[last.count - 1] += length;
    else this.#begin(from, length);
    this.size += length;
  }

  #joins({ froms, lengths, count }, from, length) {
    const [before, size] = [froms[count - 1], lengths[count - 1]];
    const follows = before >= 0 ? before + size === from : from < 0 && before - size === from;
    return follows && size + length <= LONGEST;
  }

  #begin(from, length) {
    sure(++this.#count <= MOST, "the sound is in too many pieces");
    if (!this.#blocks.length || this.#blocks.at(-1).count === BLOCK) {
      this.#blocks.push({ place: this.size, froms: new Float64Array(BLOCK), lengths: new Uint32Array(BLOCK), count: 0 });
    }
    const block = this.#blocks.at(-1);
    block.froms[block.count] = from;
    block.lengths[block.count++] = length;
  }

  /** Those between two places of what is sent, as {from, length} or {address, length}. */
  between(start, stop) {
    const found = [];
    let number = this.#blocks.findLastIndex(({ place }) => place <= start);
    for (; number >= 0 && number < this.#blocks.length && this.#blocks[number].place < stop; number++) {
      collect(this.#blocks[number], start, stop, found);
    }
    return found;
  }
}

function collect({ place, froms, lengths, count }, start, stop, found) {
  for (let number = 0, at = place; number < count && at < stop; at += lengths[number++]) {
    const skipped = Math.max(start - at, 0);
    const length = Math.min(lengths[number], stop - at) - skipped;
    if (length <= 0) continue;
    found.push(froms[number] >= 0 ? { from: froms[number] + skipped, length } : { address: -1 - froms[number] + skipped, length });
  }
}
