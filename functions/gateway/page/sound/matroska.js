/** Matroska and WebM (RFC 9559). */

import { putUint, uint } from "./bytes.js";
import { CLUSTER, throughCluster } from "./clusters.js";
import { elementsIn, firstOf, header, headerOf, LONGEST_HEADER, numberOf } from "./ebml.js";
import { sure } from "./source.js";

const [EBML, SEGMENT, VOID, CRC] = [0x1a45dfa3, 0x18538067, 0xec, 0xbf];
const [SEEK_HEAD, INFO, TRACKS, CUES] = [0x114d9b74, 0x1549a966, 0x1654ae6b, 0x1c53bb6b];
const [ATTACHMENTS, CHAPTERS, TAGS] = [0x1941a469, 0x1043a770, 0x1254c367];
const [SEEK, SEEK_POSITION, TICK] = [0x4dbb, 0x53ac, 0x2ad7b1];
const [CUE, CUE_PLACES, CUE_POSITION] = [0xbb, 0xb7, 0xf1];
const [TRACK, NUMBER, TYPE, ENCODINGS, ENCODING] = [0xae, 0xd7, 0x83, 0x6d80, 0x6240];
const [COMPRESSION, METHOD, STRIPPED] = [0x5034, 0x4254, 3];
const [PICTURES, SOUND] = [1, 2];
const VERBATIM = [INFO, ATTACHMENTS, CHAPTERS, TAGS, TRACKS];
// What of one element is in memory.
const MAX_ELEMENT = 32 * 1024 * 1024;
// FFmpeg looks for the tracks in five seconds and 5 MB: where it found sound there, it finds it, too, with pictures left out.
const [PROBED_SECONDS, PROBED] = [4.5, 4_500_000];

export const matroska = {
  begins: (head) => head.length > 8 && uint(head, 0, 4) === EBML,
  take: takeMatroska,
};

/** Puts into `parts` what is to be sent of a Source. */
async function takeMatroska(source, parts) {
  const start = headerOf(await source.upTo(0, LONGEST_HEADER));
  const at = start.header + start.size;
  const segment = headerOf(await source.upTo(at, LONGEST_HEADER));
  sure(segment.id === SEGMENT, "it has no segment");
  const content = at + segment.header;
  sure(segment.size === null || content + segment.size === source.size, "it is cut off, or more follows");
  parts.keep(0, at);
  const head = parts.put(segment.size === null ? await source.own(at, content - at) : header(SEGMENT, 0));
  const begin = parts.size;
  await new Writer(source, content, parts).read();
  if (segment.size !== null) parts.rewrite(head, header(SEGMENT, parts.size - begin));
}

/** Takes the elements of a segment in order. */
class Writer {
  #source;
  #content; // where the segment's content begins, from which its positions count
  #parts;
  #begin; // where the segment's content begins in what is sent
  #moved = new Map(); // where elements were → where they are, in the segment
  #indexes = [];
  #tracks = null; // {sounds, others}
  #tick = 1e-3;
  #stubs = new Map();
  #origin = null; // when and where the first block of all is
  #heard = new Set(); // the tracks of sound of which there was a block
  #hasCues = false;

  constructor(source, content, parts) {
    this.#source = source;
    this.#content = content;
    this.#parts = parts;
    this.#begin = parts.size;
  }

  async read() {
    for (let at = this.#content; at < this.#source.size; ) {
      const found = headerOf(await this.#source.upTo(at, LONGEST_HEADER));
      const element = { id: found.id, start: at, content: at + found.header, stop: null };
      if (found.size !== null) element.stop = element.content + found.size;
      sure(element.stop === null ? found.id === CLUSTER : element.stop <= this.#source.size, "an element does not fit");
      this.#moved.set(at - this.#content, this.#parts.size - this.#begin);
      at = found.id === CLUSTER ? await this.#cluster(element) : await this.#other(element);
    }
    sure(this.#tracks && this.#heard.size === this.#tracks.sounds.size, "a track has no sound");
    // Where each of several tracks has sound is looked for by seeking, which goes by the pictures where there is no index.
    sure(this.#hasCues || this.#heard.size === 1, "it has several tracks and no index");
    for (const each of this.#indexes) this.#put(each);
  }

  async #other(element) {
    if (element.id === SEEK_HEAD || element.id === CUES) {
      const bytes = await this.#bytes(element);
      this.#hasCues ||= element.id === CUES;
      this.#indexes.push({ id: element.id, bytes, address: this.#parts.put(bytes) });
    } else if (VERBATIM.includes(element.id)) {
      if (element.id === INFO) this.#readInfo(await this.#bytes(element));
      if (element.id === TRACKS) this.#readTracks(await this.#bytes(element));
      this.#parts.keep(element.start, element.stop);
    } else {
      sure(element.id === VOID || element.id === CRC, "it has an unknown part");
    }
    return element.stop;
  }

  #bytes({ start, stop }) {
    sure(stop - start <= MAX_ELEMENT, "an element is too large");
    return this.#source.own(start, stop - start);
  }

  #readInfo(bytes) {
    const { header: width } = headerOf(bytes);
    this.#tick = numberOf(bytes, firstOf(elementsIn(bytes, width), TICK), 1_000_000) / 1e9;
  }

  #readTracks(bytes) {
    sure(!this.#tracks, "it has several lists of tracks");
    this.#tracks = { sounds: new Set(), others: new Set() };
    for (const entry of elementsIn(bytes, headerOf(bytes).header).filter(({ id }) => id === TRACK)) {
      const parts = elementsIn(bytes, entry.content, entry.stop);
      const [number, type] = [NUMBER, TYPE].map((id) => numberOf(bytes, firstOf(parts, id), 0));
      if (type === PICTURES) checkStubs(bytes, firstOf(parts, ENCODINGS));
      this.#tracks[type === SOUND ? "sounds" : "others"].add(number);
    }
    sure(this.#tracks.sounds.size, "there is no sound");
    sure(this.#tracks.others.size, "there is nothing but sound");
  }

  async #cluster(element) {
    sure(this.#tracks, "its tracks are not told first");
    const parts = this.#parts;
    const head = element.stop === null ? parts.keep(element.start, element.content) : parts.put(header(CLUSTER, 0));
    const begin = parts.size;
    const keep = (start, stop) => parts.keep(start, stop);
    const put = (bytes) => parts.put(bytes);
    const onBlock = (track, time, block) => this.#noteBlock(track, time * this.#tick, block);
    const stop = await throughCluster(this.#source, element, { ...this.#tracks, stubs: this.#stubs }, { keep, put, onBlock });
    if (element.stop !== null) parts.rewrite(head, header(CLUSTER, parts.size - begin));
    return stop;
  }

  #noteBlock(track, time, { start }) {
    this.#origin ??= { time, start };
    if (!this.#tracks.sounds.has(track) || this.#heard.has(track)) return;
    this.#heard.add(track);
    const isLate = time - this.#origin.time > PROBED_SECONDS || start - this.#origin.start > PROBED;
    sure(!isLate, "the sound begins late");
  }

  #put({ id, bytes, address }) {
    const path = id === SEEK_HEAD ? [SEEK, SEEK_POSITION] : [CUE, CUE_PLACES, CUE_POSITION];
    putPositions(bytes, headerOf(bytes).header, bytes.length, path, (place) => {
      sure(this.#moved.has(place), "an index leads nowhere");
      return this.#moved.get(place);
    });
    this.#parts.rewrite(address, bytes);
  }
}

// A part of what was compressed cannot be decompressed; what was only stripped can.
function checkStubs(bytes, encodings) {
  if (!encodings) return;
  for (const each of elementsIn(bytes, encodings.content, encodings.stop).filter(({ id }) => id === ENCODING)) {
    const compression = firstOf(elementsIn(bytes, each.content, each.stop), COMPRESSION);
    sure(compression, "the pictures are encrypted");
    const parts = elementsIn(bytes, compression.content, compression.stop);
    sure(numberOf(bytes, firstOf(parts, METHOD), 0) === STRIPPED, "the pictures are compressed once more");
  }
}

/** Writes positions in an index anew. Its checksum no longer fits: a Void of the same length takes its place. */
function putPositions(bytes, start, stop, [next, ...path], moved) {
  for (const element of elementsIn(bytes, start, stop)) {
    if (element.id === CRC && element.stop - element.start === 6) bytes[element.start] = VOID;
    if (element.id !== next) continue;
    if (path.length) putPositions(bytes, element.content, element.stop, path, moved);
    else putUint(bytes, element.content, element.stop - element.content, moved(numberOf(bytes, element)));
  }
}
