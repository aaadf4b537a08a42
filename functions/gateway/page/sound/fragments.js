/** MP4 in fragments (ISO/IEC 14496-12, 8.8 and 8.16): what phones stream, browsers record and OBS writes. */

import { boxOf, child, copyOf, inside } from "./boxes.js";
import { joined, putUint, uint, viewOf } from "./bytes.js";
import { readsItself } from "./descriptions.js";
import { dataHeader, sorted, tracksOf } from "./mp4.js";
import { Recipe } from "./recipe.js";
import { sure } from "./source.js";
import { STUB } from "./stubs.js";
import { rows, sizesOf } from "./tables.js";

// All headers of fragments together, which stay in memory; and one of them.
const [MAX_HEADERS, MAX_HEADER] = [64 * 1024 * 1024, 8 * 1024 * 1024];
const STUBS = 16;
const KEPT = ["ftyp", "styp", "udta", "uuid", "pdin", "prft"];
const FILLING = ["free", "skip", "wide"];
// Flags of tfhd (8.8.7) and of trun (8.8.8).
const [BASE, DESCRIPTION, DURATION, SIZE, FLAGS, FROM_FRAGMENT] = [0x1, 0x2, 0x8, 0x10, 0x20, 0x20000];
const [OFFSET, FIRST_FLAGS, ...OF_SAMPLES] = [0x1, 0x4, 0x100, 0x200, 0x400, 0x800];
const OF_SIZE = 0x200;

/** The recipe of such a file: the boxes at its `top`, and its `moov` in `bytes`. */
export async function fragmented(source, top, bytes, moov) {
  const tracks = tracksOf(bytes, moov);
  sure(tracks.every((track) => sizesOf(bytes, track).count === 0), "a part of it is not in fragments");
  const { kept } = sorted(tracks);
  // Where each of several tracks has sound is looked for by seeking, which goes by what is in the fragments.
  sure(kept.length === 1, "it has several tracks");
  sure(readsItself(bytes, kept[0]), "what the sound is like is not told at the beginning");
  const writer = new Writer(source, kept[0].number, defaultSizes(bytes, moov));
  for (let number = 0; number < top.length; number++) await writer.take(top[number], top[number + 1]);
  return writer.recipe();
}

/** The size that samples have where nothing else is said, by track (8.8.3). */
function defaultSizes(bytes, moov) {
  const extension = child(bytes, moov, "mvex");
  const found = extension ? inside(bytes, extension).filter(({ kind }) => kind === "trex") : [];
  return new Map(found.map((box) => [uint(bytes, box.content + 4, 4), uint(bytes, box.content + 16, 4)]));
}

/** Takes the boxes of a file in order, and makes the new ones. */
class Writer {
  #source;
  #kept; // the number of the track that stays whole
  #sizes;
  #seen = new Set(); // the other tracks, of which there are stubs
  #made = []; // {size, bytes or box or ranges}
  #moved = new Map(); // where boxes were → where they are
  #indexes = []; // bytes in #made that say where others are
  #at = 0;
  #headers = 0;
  #data = null; // what stays of the next mdat: {header, ranges}

  constructor(source, kept, sizes) {
    this.#source = source;
    this.#kept = kept;
    this.#sizes = sizes;
  }

  async take(box, next) {
    this.#moved.set(box.start, this.#at);
    if (box.kind === "moof") await this.#fragment(box, next);
    else if (box.kind === "mdat") this.#samples(box);
    else if (box.kind === "sidx" || box.kind === "mfra") await this.#index(box);
    else if (box.kind === "moov" || KEPT.includes(box.kind)) this.#add({ size: box.stop - box.start, box });
    else sure(FILLING.includes(box.kind), `it has a ${box.kind}`);
    this.#moved.set(box.stop, this.#at);
  }

  recipe() {
    for (const { box, bytes } of this.#indexes) this.#put(box, bytes);
    const recipe = new Recipe();
    for (const { bytes, box, ranges } of this.#made) {
      if (bytes) recipe.put(bytes);
      else if (box) recipe.keep(box.start, box.stop);
      else recipe.keepAll(ranges);
    }
    return recipe;
  }

  #add(made) {
    this.#made.push(made);
    this.#at += made.size;
  }

  async #read(box) {
    sure(box.stop - box.start <= MAX_HEADER, "a header is too large");
    this.#headers += box.stop - box.start;
    sure(this.#headers <= MAX_HEADERS, "the headers are too large");
    return (await this.#source.bytes(box.start, box.stop - box.start)).slice();
  }

  async #index(box) {
    const bytes = await this.#read(box);
    this.#indexes.push({ box, bytes });
    this.#add({ size: bytes.length, bytes });
  }

  #put(box, bytes) {
    const moved = (place) => {
      sure(this.#moved.has(place), "an index leads nowhere");
      return this.#moved.get(place);
    };
    if (box.kind === "sidx") putSegments(bytes, box, moved);
    else putAccessPoints(bytes, moved);
  }

  async #fragment(box, next) {
    sure(next?.kind === "mdat", "a fragment has no data");
    const bytes = await this.#read(box);
    const parts = inside(bytes, { content: box.content - box.start, stop: bytes.length });
    sure(parts.every(({ kind }) => kind === "mfhd" || kind === "traf"), "a fragment has an unknown part");
    const made = parts.map((part) => (part.kind === "traf" ? this.#track(bytes, part, box) : { bytes: copyOf(bytes, part) }));
    const left = made.filter((each) => each);
    const header = boxOf("moof", ...left.map((each) => each.bytes));
    this.#place(header, left, next);
    this.#add({ size: header.length, bytes: header });
  }

  /** What is left of a track in a fragment: {bytes, runs}, or undefined. Each run is {at, ranges}. */
  #track(bytes, traf, box) {
    const parts = inside(bytes, traf);
    const head = trackHead(bytes, parts.find(({ kind }) => kind === "tfhd"));
    const isKept = head.number === this.#kept;
    if (!isKept && this.#seen.has(head.number)) return undefined;
    this.#seen.add(head.number);
    const base = head.base ?? (head.isFromFragment || traf === firstTrack(bytes, box) ? box.start : null);
    const runs = parts.filter(({ kind }) => kind === "trun");
    sure(isFirst(traf, bytes, box) || head.base !== null || head.isFromFragment, "where samples lie depends on others");
    const size = head.size ?? this.#sizes.get(head.number) ?? 0;
    return trackPart(bytes, parts, head, base ?? box.start, size, isKept ? runs : runs.slice(0, 1), isKept);
  }

  // Where the new fragment's samples lie, once it is known how long its header is.
  #place(header, left, next) {
    const runs = left.flatMap((each) => each.runs ?? []).sort((one, other) => one.ranges[0][0] - other.ranges[0][0]);
    const ranges = runs.flatMap((run) => run.ranges);
    ranges.forEach(([start, length], number) => {
      sure(start >= next.content && start + length <= next.stop, "samples lie outside of their fragment");
      sure(!number || ranges[number - 1][0] + ranges[number - 1][1] <= start, "samples overlap");
    });
    let place = header.length + next.content - next.start;
    for (const run of runs) {
      run.offset = place;
      place += run.ranges.reduce((sum, [, length]) => sum + length, 0);
    }
    let at = 8;
    for (const { bytes, runs: own, base } of left) {
      for (const run of own ?? []) viewOf(header).setInt32(at + run.at, run.offset);
      if (base) putUint(header, at + base, 8, this.#at);
      at += bytes.length;
    }
    this.#data = ranges;
  }

  #samples(box) {
    sure(this.#data, "there are samples without a fragment");
    const ranges = Float64Array.from(this.#data.flat());
    const size = this.#data.reduce((sum, [, length]) => sum + length, box.content - box.start);
    const bytes = dataHeader(box, size);
    this.#add({ size: bytes.length, bytes });
    this.#add({ size: size - bytes.length, ranges });
    this.#data = null;
  }
}

const firstTrack = (bytes, box) =>
  inside(bytes, { content: box.content - box.start, stop: bytes.length }).find(({ kind }) => kind === "traf");
const isFirst = (traf, bytes, box) => firstTrack(bytes, box).start === traf.start;

/** The header of a track in a fragment: its number, and where and how large samples are if it says so. */
function trackHead(bytes, box) {
  sure(box, "a part of a fragment is of no track");
  const flags = uint(bytes, box.content + 1, 3);
  let at = box.content + 8;
  const take = (flag, width) => {
    if (!(flags & flag)) return null;
    at += width;
    return at - width;
  };
  const basePlace = take(BASE, 8);
  take(DESCRIPTION, 4);
  take(DURATION, 4);
  const sizePlace = take(SIZE, 4);
  take(FLAGS, 4);
  sure(at <= box.stop, "a header is cut off");
  return {
    number: uint(bytes, box.content + 4, 4),
    base: basePlace === null ? null : uint(bytes, basePlace, 8),
    basePlace,
    size: sizePlace === null ? null : uint(bytes, sizePlace, 4),
    isFromFragment: Boolean(flags & FROM_FRAGMENT),
  };
}

/** A `traf` with these runs, whole or as stubs: {bytes, runs, base}, where in `bytes` the places are to be written. */
function trackPart(bytes, parts, head, base, size, runs, isWhole) {
  const [made, found] = [[], []];
  let at = 8;
  let basePlace = null;
  for (const part of parts) {
    sure(!["saiz", "saio", "senc"].includes(part.kind), "a fragment is encrypted");
    if (part.kind === "trun" && !runs.includes(part)) continue;
    if (!isWhole && !["tfhd", "tfdt", "trun"].includes(part.kind)) continue;
    const run = part.kind === "trun" ? runOf(bytes, part, base, size, isWhole) : null;
    made.push(run ? run.bytes : copyOf(bytes, part));
    if (part.kind === "tfhd" && head.basePlace !== null) basePlace = at + head.basePlace - part.start;
    if (run?.ranges.length) found.push({ at: at + run.place, ranges: run.ranges });
    at += made.at(-1).length;
  }
  return { bytes: boxOf("traf", ...made), runs: found, base: basePlace };
}

/** A run of samples (8.8.8): {bytes, place, ranges}. As stubs, it is its first samples, each with a size of its own. */
function runOf(bytes, box, base, size, isWhole) {
  const flags = uint(bytes, box.content + 1, 3);
  sure(flags & OFFSET, "where samples lie depends on others");
  const start = base + viewOf(bytes).getInt32(box.content + 8);
  const count = uint(bytes, box.content + 4, 4);
  const first = box.content + 12 + (flags & FIRST_FLAGS ? 4 : 0);
  const width = OF_SAMPLES.reduce((sum, flag) => sum + (flags & flag ? 4 : 0), 0);
  sure(first + count * width <= box.stop, "a run is cut off");
  const before = flags & OF_SAMPLES[0] ? 4 : 0;
  const sizeOf = (number) => (flags & OF_SIZE ? uint(bytes, first + number * width + before, 4) : size);
  const sizes = Array.from({ length: count }, (_, number) => sizeOf(number));
  if (!isWhole) return stubRun(bytes, box, { flags, start, first, width, before, sizes });
  const length = sizes.reduce((sum, each) => sum + each, 0);
  return { bytes: copyOf(bytes, box), place: box.content - box.start + 8, ranges: length ? [[start, length]] : [] };
}

function stubRun(bytes, box, { flags, start, first, width, before, sizes }) {
  const count = Math.min(sizes.length, STUBS);
  const head = bytes.slice(box.content, first);
  putUint(head, 1, 3, flags | OF_SIZE);
  putUint(head, 4, 4, count);
  const [samples, ranges] = [[], []];
  for (let number = 0, at = start; number < count; at += sizes[number++]) {
    const row = bytes.slice(first + number * width, first + (number + 1) * width);
    const length = Math.min(sizes[number], STUB);
    const own = new Uint8Array(4);
    putUint(own, 0, 4, length);
    samples.push(row.subarray(0, before), own, row.subarray(before + (flags & OF_SIZE ? 4 : 0)));
    if (length) ranges.push([at, length]);
  }
  return { bytes: boxOf("trun", head, ...samples), place: 16, ranges };
}

/** An index of segments (8.16.3): each entry says how many bytes it stands for. */
function putSegments(bytes, box, moved) {
  const content = box.content - box.start;
  const wide = bytes[content] ? 8 : 4;
  const offset = uint(bytes, content + 12 + wide, wide);
  const count = uint(bytes, content + 12 + 2 * wide + 2, 2);
  let old = box.stop + offset;
  sure(content + 16 + 2 * wide + count * 12 <= bytes.length, "an index is cut off");
  putUint(bytes, content + 12 + wide, wide, moved(old) - moved(box.stop));
  for (let number = 0; number < count; number++) {
    const at = content + 16 + 2 * wide + number * 12;
    const [value, next] = [uint(bytes, at, 4), old + (uint(bytes, at, 4) & 0x7fffffff)];
    const size = moved(next) - moved(old);
    sure(size < 2 ** 31, "a segment is too large");
    putUint(bytes, at, 4, value >= 2 ** 31 ? size + 2 ** 31 : size);
    old = next;
  }
}

/** The index of random access points (8.8.9): where the fragment of each lies. */
function putAccessPoints(bytes, moved) {
  for (const box of inside(bytes, { content: 8, stop: bytes.length })) {
    if (box.kind !== "tfra") continue;
    const wide = bytes[box.content] === 1 ? 8 : 4;
    const lengths = bytes[box.content + 11];
    const numbers = ((lengths >> 4) & 3) + ((lengths >> 2) & 3) + (lengths & 3) + 3;
    const count = uint(bytes, box.content + 12, 4);
    sure(box.content + 16 + count * (2 * wide + numbers) <= box.stop, "an index is cut off");
    for (let number = 0; number < count; number++) {
      const at = box.content + 16 + number * (2 * wide + numbers) + wide;
      putUint(bytes, at, wide, moved(uint(bytes, at, wide)));
    }
  }
}
