/** What stays of a track that is left out of an MP4 or MOV: its description, and its first samples as stubs. */

import { boxOf, copyOf, inside } from "./boxes.js";
import { joined, uint, uintBytes } from "./bytes.js";
import { sure } from "./source.js";
import { chunkCounts, offsetsOf, rows, sizesOf } from "./tables.js";

/** So much of a picture stays. */
export const STUB = 32;
// Pictures are not in the order in which they are shown: so many may come before the first one.
const REORDERED = 16;
const MAX_STUBS = 4000;
const PATH = ["mdia", "minf", "stbl"];
const LONGEST = 2 ** 31 - 1; // FFmpeg takes longer steps of time for negative ones

/** The stubs of a track: {count, rows, rest}, `rows` its [count, ticks] of time, the last of which lasts to its end. */
function timing(bytes, track, samples) {
  const kept = [];
  let [count, time, counted, all, isEnough] = [0, 0, 0, 0, false];
  for (const row of rows(bytes, track.parts.get("stts"), 8)) {
    const [number, ticks] = [uint(bytes, row, 4), uint(bytes, row + 4, 4)];
    [counted, all] = [counted + number, all + number * ticks];
    if (isEnough) continue;
    const needed = Math.max(track.firstTime - time, 0) / (ticks || 1) + REORDERED;
    const taken = Math.min(number, Math.ceil(needed));
    kept.push([taken, ticks]);
    [count, time] = [count + taken, time + taken * ticks];
    isEnough = taken < number || count >= samples;
    sure(count <= MAX_STUBS, "the pictures begin too late");
  }
  sure(counted === samples, "not all pictures have a time");
  return { count, table: count ? lengthened(kept, all - time) : kept };
}

// The track stays as long as it was.
function lengthened(kept, rest) {
  const [number, ticks] = kept.pop();
  sure(ticks + rest <= LONGEST, "the pictures last too long");
  if (number > 1) kept.push([number - 1, ticks]);
  return [...kept, [1, ticks + rest]];
}

/** The stubs' places, as {count, table, ranges}: `ranges` are pairs of start and length in the file. */
export function stubsOf(bytes, track) {
  const sizes = sizesOf(bytes, track);
  const found = timing(bytes, track, sizes.count);
  const places = offsetsOf(bytes, track);
  const counts = chunkCounts(bytes, track, places.count, sizes.count);
  const ranges = [];
  let number = 0;
  for (let chunk = 0; number < found.count; chunk++) {
    let start = places.of(chunk);
    for (let left = counts[chunk]; left && number < found.count; left--, number++) {
      ranges.push([start, Math.min(sizes.of(number), STUB)]);
      start += sizes.of(number);
    }
  }
  return { ...found, ranges };
}

/** The `trak` box of a track with nothing but stubs, which lie at `places` in the new file. */
export function stubTrack(bytes, track, stubs, places) {
  return without(bytes, track.trak, PATH, () => tables(bytes, track, stubs, places));
}

// The box again, with another content for the innermost one of a path.
function without(bytes, box, path, content) {
  const parts = inside(bytes, box).map((each) => {
    if (each.kind !== path[0]) return copyOf(bytes, each);
    return path.length > 1 ? without(bytes, each, path.slice(1), content) : boxOf(each.kind, ...content());
  });
  return boxOf(box.kind, ...parts);
}

function tables(bytes, { parts }, { count, table, ranges }, places) {
  const start = parts.get("stsd");
  sure(start, "a track has no description");
  const made = [copyOf(bytes, start), tableOf("stts", table)];
  if (parts.has("ctts")) made.push(shortened(bytes, parts.get("ctts"), count));
  if (parts.has("stss")) made.push(firstOf(bytes, parts.get("stss"), count));
  made.push(tableOf("stsc", count ? [[1, 1, 1]] : []));
  made.push(boxOf("stsz", new Uint8Array(8), uintBytes(count, 4), ...ranges.map(([, size]) => uintBytes(size, 4))));
  made.push(boxOf("co64", new Uint8Array(4), uintBytes(count, 4), ...places.map((place) => uintBytes(place, 8))));
  return made;
}

const tableOf = (kind, entries) =>
  boxOf(kind, new Uint8Array(4), uintBytes(entries.length, 4), ...entries.flat().map((value) => uintBytes(value, 4)));

// Rows of a count and a value that may be negative.
function shortened(bytes, box, count) {
  const kept = [];
  for (const row of rows(bytes, box, 8)) {
    const taken = Math.min(uint(bytes, row, 4), count);
    if (taken) kept.push(joined([uintBytes(taken, 4), bytes.slice(row + 4, row + 8)]));
    count -= taken;
  }
  return boxOf(box.kind, bytes.slice(box.content, box.content + 4), uintBytes(kept.length, 4), ...kept);
}

function firstOf(bytes, box, count) {
  const kept = [...rows(bytes, box, 4)].filter((row) => uint(bytes, row, 4) <= count);
  return boxOf(box.kind, new Uint8Array(4), uintBytes(kept.length, 4), ...kept.map((row) => bytes.slice(row, row + 4)));
}
