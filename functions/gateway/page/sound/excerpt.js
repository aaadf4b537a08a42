/** What is sent of a file, as something that can be read from any place on: it is the same each time. */

// What is larger is not read, but stays a reference to the file.
const DIRECT = 64 * 1024;
// Pieces so close to each other are read at once, and so much at once.
const [GAP, SPAN] = [64 * 1024, 1024 * 1024];

export class Excerpt {
  isSound = true; // and not the whole file
  #source;
  #segments;
  #literals;

  constructor(source, segments, literals) {
    this.#source = source;
    this.#segments = segments;
    this.#literals = literals;
    this.size = segments.size;
  }

  /**
   * Its bytes between two places, as parts of a Blob: Uint8Arrays, all of them in memory that is nobody else's, and Blobs. What is small is
   * read; memory for that is at most as much as is asked for.
   */
  async read(start, stop) {
    const pieces = this.#segments.between(start, Math.min(stop, this.size));
    const source = this.#source.another();
    const gathered = new Gathered(pieces);
    for (let at = 0; at < pieces.length; ) at = await this.#add(source, pieces, at, gathered);
    return gathered.parts();
  }

  /** Adds the piece at `number`, and what is read with it. Resolves to the number of the next one. */
  async #add(source, pieces, number, gathered) {
    const { from, address, length } = pieces[number];
    if (address !== undefined) this.#literals.read(address, gathered.room(length));
    else if (length > DIRECT) gathered.refer(source.slice(from, length));
    else return this.#gather(source, pieces, number, gathered);
    return number + 1;
  }

  async #gather(source, pieces, first, gathered) {
    const { next, start, stop } = spanAt(pieces, first);
    const bytes = await source.exactly(start, stop - start);
    for (const { from, address, length } of pieces.slice(first, next)) {
      if (address === undefined) gathered.room(length).set(bytes.subarray(from - start, from - start + length));
      else this.#literals.read(address, gathered.room(length));
    }
    return next;
  }
}

/** Puts parts together: what is small into one buffer. */
class Gathered {
  #parts = [];
  #buffer;
  #begin = 0;
  #end = 0;

  constructor(pieces) {
    const small = pieces.filter(({ address, length }) => address !== undefined || length <= DIRECT);
    this.#buffer = new Uint8Array(small.reduce((size, { length }) => size + length, 0));
  }

  /** The place for so many bytes more. */
  room(length) {
    this.#end += length;
    return this.#buffer.subarray(this.#end - length, this.#end);
  }

  refer(blob) {
    this.#flush();
    this.#parts.push(blob);
  }

  parts() {
    this.#flush();
    return this.#parts;
  }

  #flush() {
    if (this.#end > this.#begin) this.#parts.push(this.#buffer.subarray(this.#begin, this.#end));
    this.#begin = this.#end;
  }
}

/** Neighbours that are read with one access, which costs more than a few bytes that are not needed. */
function spanAt(pieces, first) {
  const start = pieces[first].from;
  let stop = start + pieces[first].length;
  let next = first + 1;
  for (; next < pieces.length; next++) {
    const { from, address, length } = pieces[next];
    if (address !== undefined) continue;
    if (length > DIRECT || from < stop || from - stop > GAP || from + length - start > SPAN) break;
    stop = from + length;
  }
  return { next, start, stop };
}
