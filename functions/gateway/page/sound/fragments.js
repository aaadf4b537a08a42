/** MP4 in fragments (ISO/IEC 14496-12, 8.8 and 8.16): what phones stream, browsers record and OBS writes. */

import { boxOf, child, copyOf, inside } from "./boxes.js";
import { putUint, uint, viewOf } from "./bytes.js";
import { readsItself } from "./descriptions.js";
import { dataHeader, sorted, tracksOf } from "./mp4.js";
import { runOf } from "./runs.js";
import { putAccessPoints, putSegments } from "./access_points.js";
import { sure } from "./source.js";
import { sizesOf } from "./tables.js";

// All headers of fragments together, which stay in memory; and one of them.
const [MAX_HEADERS, MAX_HEADER] = [64 * 1024 * 1024, 8 * 1024 * 1024];
const KEPT = ["ftyp", "styp", "udta", "uuid", "pdin", "prft"];
const FILLING = ["free", "skip", "wide"];
// Flags of tfhd (8.8.7).
const [BASE, DESCRIPTION, DURATION, SIZE, FLAGS, FROM_FRAGMENT] = [0x1, 0x2, 0x8, 0x10, 0x20, 0x20000];

/** Puts into `parts` what is to be sent of such a file: the boxes at its `top`, and its `moov` in `bytes`. */
export async function takeFragments(source, top, bytes, moov, parts) {
  const tracks = tracksOf(bytes, moov);
  sure(tracks.every((track) => sizesOf(bytes, track).count === 0), "a part of it is not in fragments");
  const { kept } = sorted(tracks);
  // Where each of several tracks has sound is looked for by seeking, which goes by what is in the fragments.
  sure(kept.length === 1, "it has several tracks");
  sure(readsItself(bytes, kept[0]), "what the sound is like is not told at the beginning");
  const writer = new Writer(source, kept[0].number, new Clocks(tracks), defaults(bytes, moov));
  for (let number = 0; number < top.length; number++) await writer.take(top[number], top[number + 1]);
  writer.putInto(parts);
}

/** The {duration, size} that samples have where nothing else is said, by track (8.8.3). */
function defaults(bytes, moov) {
  const extension = child(bytes, moov, "mvex");
  const found = extension ? inside(bytes, extension).filter(({ kind }) => kind === "trex") : [];
  const [number, duration, size] = [4, 12, 16].map((place) => (box) => uint(bytes, box.content + place, 4));
  return new Map(found.map((box) => [number(box), { duration: duration(box), size: size(box) }]));
}

/** Takes the boxes of a file in order, and makes the new ones. */
class Writer {
  #source;
  #kept; // the number of the track that stays whole
  #defaults;
  #clocks;
  #seen = new Set(); // the other tracks, of which there are stubs
  #made = []; // {size, bytes or box or ranges}
  #moved = new Map(); // where boxes were → where they are
  #indexes = []; // bytes in #made that say where others are
  #at = 0;
  #headers = 0;
  #data = null; // what stays of the next mdat: {header, ranges}

  constructor(source, kept, clocks, defaults) {
    this.#source = source;
    this.#kept = kept;
    this.#clocks = clocks;
    this.#defaults = defaults;
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

  putInto(parts) {
    for (const { box, bytes } of this.#indexes) this.#put(box, bytes);
    for (const { bytes, box, ranges } of this.#made) {
      if (bytes) parts.put(bytes);
      else if (box) parts.keep(box.start, box.stop);
      else for (let at = 0; at < ranges.length; at += 2) parts.keep(ranges[at], ranges[at] + ranges[at + 1]);
    }
  }

  #add(made) {
    this.#made.push(made);
    this.#at += made.size;
  }

  async #read(box) {
    sure(box.stop - box.start <= MAX_HEADER, "a header is too large");
    this.#headers += box.stop - box.start;
    sure(this.#headers <= MAX_HEADERS, "the headers are too large");
    return this.#source.own(box.start, box.stop - box.start);
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
    const made = parts.map((part) => (part.kind === "traf" ? this.#track(bytes, part, box, next) : { bytes: copyOf(bytes, part) }));
    const left = made.filter((each) => each);
    const header = boxOf("moof", ...left.map((each) => each.bytes));
    this.#place(header, left, next);
    this.#add({ size: header.length, bytes: header });
  }

  /** What is left of a track in a fragment: {bytes, runs}, or undefined. Each run is {at, ranges}. */
  #track(bytes, traf, box, data) {
    const parts = inside(bytes, traf);
    const head = trackHead(bytes, parts.find(({ kind }) => kind === "tfhd"));
    sure(isFirst(traf, bytes, box) || head.base !== null || head.isFromFragment, "where samples lie depends on others");
    const { duration = 0, size = 0 } = this.#defaults.get(head.number) ?? {};
    const usual = { duration: head.duration ?? duration, size: head.size ?? size };
    const base = head.base ?? box.start;
    const runs = parts.filter(({ kind }) => kind === "trun");
    const whole = trackPart(bytes, parts, head, base, usual, runs, true);
    checkInside(whole.runs, data);
    const isKept = head.number === this.#kept;
    this.#clocks.check(bytes, head.number, parts.find(({ kind }) => kind === "tfdt"), whole.duration, isKept);
    if (isKept) return whole;
    if (this.#seen.has(head.number)) return undefined;
    this.#seen.add(head.number);
    return trackPart(bytes, parts, head, base, usual, runs.slice(0, 1), false);
  }

  // Where the new fragment's samples lie, once it is known how long its header is.
  #place(header, left, next) {
    const runs = left.flatMap((each) => each.runs ?? []).sort((one, other) => one.ranges[0][0] - other.ranges[0][0]);
    const ranges = runs.flatMap((run) => run.ranges);
    ranges.forEach(([start], number) => {
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

function checkInside(runs, data) {
  for (const [start, length] of runs.flatMap(({ ranges }) => ranges)) {
    sure(start >= data.content && start + length <= data.stop, "samples lie outside of their fragment");
  }
}

/** When the next fragment of each track should begin, in its ticks. Each says when it does (8.8.12). */
class Clocks {
  #scales;
  #times = new Map();

  constructor(tracks) {
    this.#scales = new Map(tracks.map(({ number, scale }) => [number, scale]));
  }

  /** Throws Unsure where it is not so: exactly for sound, to a second for pictures, whose last durations are guesses. */
  check(bytes, number, box, duration, isExact) {
    sure(this.#scales.has(number), "a fragment is of no track");
    const due = this.#times.get(number);
    const time = box ? uint(bytes, box.content + 4, bytes[box.content] === 1 ? 8 : 4) : due;
    const allowed = isExact ? 0 : this.#scales.get(number);
    sure(due === undefined || Math.abs(time - due) <= allowed, "there is a hole between fragments, or an overlap");
    if (time !== undefined) this.#times.set(number, time + duration);
  }
}

const firstTrack = (bytes, box) =>
  inside(bytes, { content: box.content - box.start, stop: bytes.length }).find(({ kind }) => kind === "traf");
const isFirst = (traf, bytes, box) => firstTrack(bytes, box).start === traf.start;

/** The header of a track in a fragment: its number, and where, how long and how large samples are if it says so. */
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
  const durationPlace = take(DURATION, 4);
  const sizePlace = take(SIZE, 4);
  take(FLAGS, 4);
  sure(at <= box.stop, "a header is cut off");
  return {
    number: uint(bytes, box.content + 4, 4),
    base: basePlace === null ? null : uint(bytes, basePlace, 8),
    basePlace,
    duration: durationPlace === null ? null : uint(bytes, durationPlace, 4),
    size: sizePlace === null ? null : uint(bytes, sizePlace, 4),
    isFromFragment: Boolean(flags & FROM_FRAGMENT),
  };
}

/**
 * A `traf` with these runs, whole or as stubs: {bytes, runs, base, duration}. `base` and `at` of a run are where in `bytes` places are
 * to be written; `usual` is what is the same for all samples.
 */
function trackPart(bytes, parts, head, base, usual, runs, isWhole) {
  const [made, found] = [[], []];
  let at = 8;
  let basePlace = null;
  let duration = 0;
  for (const part of parts) {
    sure(!["saiz", "saio", "senc"].includes(part.kind), "a fragment is encrypted");
    if (part.kind === "trun" && !runs.includes(part)) continue;
    if (!isWhole && !["tfhd", "tfdt", "trun"].includes(part.kind)) continue;
    const run = part.kind === "trun" ? runOf(bytes, part, base, usual, isWhole) : null;
    duration += run?.duration ?? 0;
    made.push(run ? run.bytes : copyOf(bytes, part));
    if (part.kind === "tfhd" && head.basePlace !== null) basePlace = at + head.basePlace - part.start;
    if (run?.ranges.length) found.push({ at: at + run.place, ranges: run.ranges });
    at += made.at(-1).length;
  }
  return { bytes: boxOf("traf", ...made), runs: found, base: basePlace, duration };
}
