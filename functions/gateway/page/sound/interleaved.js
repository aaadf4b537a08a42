/** AVI (Microsoft's AVI RIFF file reference, and OpenDML 1.02 for files of more than a gigabyte). */

import { joined, letters } from "./bytes.js";
import { Moves } from "./moves.js";
import { sure } from "./source.js";

const [SOUND, PICTURE, INDEX] = ["wb", ["dc", "db"], "ix"];
// Of pictures stay the first ones, and those at the end: so much of each. Of the others an empty chunk stays, for time is told by counting.
const [STUBS, STUB, TAIL] = [16, 32, 4 * 1024 * 1024];
const [MAX_INDEX, MAX_HEADER] = [64 * 1024 * 1024, 1024 * 1024];
const PROBED = 4_500_000; // FFmpeg looks for the tracks in 5 MB
const [CHUNK, LIST] = [8, 12];

export const interleaved = {
  begins: (head) => head.length > LIST && letters(head, 0) === "RIFF" && letters(head, 8) === "AVI ",
  take: async (source, parts) => new Writer(source, parts).read(),
};

const little = (bytes, at, width) => {
  let value = 0;
  for (let place = at + width - 1; place >= at; place--) value = value * 256 + bytes[place];
  return value;
};

function putLittle(bytes, at, width, value) {
  sure(value >= 0 && value < 256 ** width, "a number does not fit in its place");
  for (let place = at, rest = value; place < at + width; place++, rest = Math.floor(rest / 256)) bytes[place] = rest % 256;
}

function headerOf(kind, size) {
  const made = Uint8Array.from([...kind].map((letter) => letter.charCodeAt(0)).concat([0, 0, 0, 0]));
  putLittle(made, 4, 4, size);
  return made;
}

/** Takes the chunks of a file in order. */
class Writer {
  #source;
  #parts;
  #moves = new Moves(); // where chunks were → where they are
  #indexes = []; // {bytes, address, put}: what says where others are
  #sound = null; // two digits: the number of the track
  #pictures = new Set();
  #seen = 0;
  #heard = false;
  #data = 0; // where the content of the first movi begins

  constructor(source, parts) {
    this.#source = source;
    this.#parts = parts;
  }

  async read() {
    for (let at = 0; at < this.#source.size; ) at = await this.#riff(at);
    sure(this.#heard, "there is no sound");
    for (const { bytes, address, put } of this.#indexes) {
      put(bytes);
      this.#parts.rewrite(address, bytes);
    }
  }

  /** The header at a place: {kind, list, start, content, stop}; `list` is the kind of what a list holds. */
  async #chunk(at, end) {
    const head = await this.#source.upTo(at, LIST);
    sure(head.length >= CHUNK, "it is cut off");
    const [kind, size] = [letters(head, 0), little(head, 4, 4)];
    const isList = kind === "RIFF" || kind === "LIST";
    const stop = at + CHUNK + size + (size % 2);
    sure(stop <= end && (!isList || size >= 4), "a chunk does not fit");
    return { kind, list: isList ? letters(head, 8) : null, start: at, content: at + CHUNK, size, stop };
  }

  async #riff(at) {
    const riff = await this.#chunk(at, this.#source.size);
    sure(riff.kind === "RIFF" && riff.list === (at ? "AVIX" : "AVI "), "something else follows");
    await this.#within(riff, async (chunk) => {
      if (chunk.list === "hdrl") await this.#headers(chunk);
      else if (chunk.list === "movi") await this.#movie(chunk);
      else if (chunk.kind === "idx1") await this.#oldIndex(chunk);
      else if (chunk.list === "INFO") this.#parts.keep(chunk.start, chunk.stop);
      else sure(chunk.kind === "JUNK", "it has an unknown part");
    });
    return riff.stop;
  }

  /** Puts a list whose chunks are taken one by one; then its size is known. */
  async #within(list, take) {
    this.#moves.add(list.start, this.#parts.size);
    const place = this.#parts.size;
    const head = (await this.#source.bytes(list.start, LIST)).slice();
    const address = this.#parts.put(head);
    for (let at = list.start + LIST; at < list.start + CHUNK + list.size; ) {
      const chunk = await this.#chunk(at, list.stop);
      await take(chunk);
      at = chunk.stop;
    }
    putLittle(head, 4, 4, this.#parts.size - place - CHUNK);
    this.#parts.rewrite(address, head);
    if (this.#parts.size % 2) this.#parts.put(new Uint8Array(1));
  }

  /** The headers stay as they are, but for what says where indexes lie. */
  async #headers(list) {
    sure(list.stop - list.start <= MAX_HEADER, "the header is too large");
    const bytes = await this.#source.own(list.start, list.stop - list.start);
    let number = 0;
    for (const each of chunksIn(bytes, LIST, bytes.length)) if (each.list === "strl") this.#track(bytes, each, number++);
    sure(this.#sound && this.#pictures.size, "there is no sound, or nothing else");
    const put = () => {
      for (const each of chunksIn(bytes, LIST, bytes.length)) if (each.list === "strl") this.#putPlaces(bytes, each);
    };
    this.#indexes.push({ bytes, address: this.#parts.put(bytes), put });
  }

  #track(bytes, list, number) {
    const header = chunksIn(bytes, list.content + 4, list.stop).find(({ kind }) => kind === "strh");
    sure(header, "a track has no header");
    const [kind, name] = [letters(bytes, header.content), String(number).padStart(2, "0")];
    sure(kind === "vids" || (kind === "auds" && !this.#sound), "it has other tracks, or several of sound");
    if (kind === "auds") this.#sound = name;
    else this.#pictures.add(name);
  }

  // OpenDML 3.0, "AVISUPERINDEX": where the indexes of a track lie.
  #putPlaces(bytes, list) {
    for (const { kind, content, stop } of chunksIn(bytes, list.content + 4, list.stop)) {
      if (kind !== "indx") continue;
      sure(little(bytes, content, 2) === 4 && bytes[content + 3] === 0, "an index is of an unknown kind");
      const count = little(bytes, content + 4, 4);
      sure(content + 24 + count * 16 <= stop, "an index is cut off");
      for (let at = content + 24; at < content + 24 + count * 16; at += 16) {
        putLittle(bytes, at, 8, this.#moves.of(little(bytes, at, 8)));
      }
    }
  }

  async #movie(list) {
    sure(this.#sound, "its tracks are not told first");
    this.#data ||= list.start + CHUNK;
    await this.#within(list, (chunk) => this.#sample(chunk));
  }

  async #sample(chunk) {
    const [track, kind] = [chunk.kind.slice(0, 2), chunk.kind.slice(2)];
    if (chunk.kind === "JUNK") return;
    this.#moves.add(chunk.start, this.#parts.size);
    if (track === INDEX) await this.#newIndex(chunk);
    else if (track === this.#sound && kind === SOUND) this.#keepSound(chunk);
    else {
      sure(this.#pictures.has(track) && PICTURE.includes(kind), "it has an unknown part");
      this.#parts.put(await this.#stub(chunk));
    }
  }

  #keepSound({ start, stop }) {
    sure(this.#heard || start - this.#data <= PROBED, "the sound begins late");
    this.#heard = true;
    this.#parts.keep(start, stop);
  }

  async #stub({ kind, start, content, size }) {
    const length = this.#sizeOf(start, size, ++this.#seen <= STUBS);
    if (this.#seen <= STUBS) this.#moves.mark(start);
    const bytes = await this.#source.bytes(content, length);
    return joined([headerOf(kind, length), bytes, new Uint8Array(length % 2)]);
  }

  /** How much stays of a picture. */
  #sizeOf(start, size, isFirst) {
    return isFirst || start >= this.#source.size - TAIL ? Math.min(size, STUB) : 0;
  }

  /** The size that an index says of a chunk: that of what is left. */
  #left(kind, start, size) {
    return kind === this.#sound ? size : this.#sizeOf(start, size, this.#moves.isMarked(start));
  }

  async #newIndex(chunk) {
    const bytes = await this.#indexBytes(chunk);
    const [count, base] = [little(bytes, 12, 4), little(bytes, 20, 8)];
    sure(little(bytes, 8, 2) === 2 && bytes[11] === 1 && 32 + count * 8 <= bytes.length, "an index is of an unknown kind");
    const put = () => {
      const [kind, place] = [letters(bytes, 16).slice(0, 2), this.#moves.near(base)];
      putLittle(bytes, 20, 8, place);
      for (let at = 32; at < 32 + count * 8; at += 8) this.#putEntry(bytes, at, kind, base, place);
    };
    this.#indexes.push({ bytes, address: this.#parts.put(bytes), put });
  }

  #putEntry(bytes, at, kind, base, place) {
    const [start, size] = [base + little(bytes, at, 4) - CHUNK, little(bytes, at + 4, 4)];
    const flag = size >= 2 ** 31 ? 2 ** 31 : 0; // not a keyframe
    putLittle(bytes, at, 4, this.#moves.of(start) + CHUNK - place);
    putLittle(bytes, at + 4, 4, this.#left(kind, start, size - flag) + flag);
  }

  async #oldIndex(chunk) {
    const bytes = await this.#indexBytes(chunk);
    const entries = Math.floor(chunk.size / 16);
    const put = () => {
      if (!entries) return;
      // Places count from the list's content, or from the beginning of the file.
      const first = little(bytes, CHUNK + 8, 4);
      const base = this.#moves.has(first) ? 0 : this.#data;
      const place = base ? this.#moves.of(this.#data - CHUNK) + CHUNK : 0;
      for (let at = CHUNK; at < CHUNK + entries * 16; at += 16) {
        const [kind, start] = [letters(bytes, at).slice(0, 2), base + little(bytes, at + 8, 4)];
        putLittle(bytes, at + 8, 4, this.#moves.of(start) - place);
        putLittle(bytes, at + 12, 4, this.#left(kind, start, little(bytes, at + 12, 4)));
      }
    };
    this.#indexes.push({ bytes, address: this.#parts.put(bytes), put });
  }

  #indexBytes({ start, stop }) {
    sure(stop - start <= MAX_INDEX, "an index is too large");
    return this.#source.own(start, stop - start);
  }
}

/** The chunks in bytes: {kind, list, content, stop}. */
function chunksIn(bytes, start, end) {
  const found = [];
  for (let at = start; at + CHUNK <= end; ) {
    const [kind, size] = [letters(bytes, at), little(bytes, at + 4, 4)];
    sure(at + CHUNK + size <= end, "a chunk does not fit");
    found.push({ kind, list: kind === "LIST" ? letters(bytes, at + CHUNK) : null, content: at + CHUNK, stop: at + CHUNK + size });
    at += CHUNK + size + (size % 2);
  }
  return found;
}
