/** Where the samples of an MP4 or MOV lie, and where those that stay come to lie. */

import { sure } from "./source.js";
import { chunkCounts, offsetsOf, sizesOf } from "./tables.js";

const FILLING = ["free", "skip", "wide"];
const KEPT = ["ftyp", "pnot", "PICT", "udta", "uuid", "pdin"];
const MAX_CHUNKS = 2_000_000;

/**
 * All that stays of the samples, in the order of the file: {count, starts, stops}. `stubs` are those of the tracks that are `dropped`,
 * `data` the boxes with samples. Throws Unsure where any samples overlap, or lie elsewhere.
 */
export function runsOf(bytes, kept, dropped, stubs, data) {
  const tracks = [...kept, ...dropped];
  const borders = bordersOf(bytes, tracks, data);
  const chunks = new Map(tracks.map((track) => [track, chunksOf(bytes, track, borders)]));
  checkApart(ordered([...chunks.values()]), data);
  const stubbed = stubs.map((each) => {
    const ranges = each.ranges.filter(([, length]) => length);
    return { starts: Float64Array.from(ranges, ([start]) => start), stops: Float64Array.from(ranges, ([start, length]) => start + length) };
  });
  return ordered([...kept.map((track) => chunks.get(track)), ...stubbed]);
}

/** Where any chunk begins, or the data end, in order. */
function bordersOf(bytes, tracks, data) {
  const offsets = tracks.map((track) => offsetsOf(bytes, track));
  const chunks = offsets.reduce((sum, { count }) => sum + count, 0);
  sure(chunks <= MAX_CHUNKS, "there are too many chunks");
  const borders = new Float64Array(chunks + data.length);
  let at = 0;
  for (const { count, of } of offsets) for (let chunk = 0; chunk < count; chunk++) borders[at++] = of(chunk);
  for (const { stop } of data) borders[at++] = stop;
  return borders.sort();
}

// Each by itself: where runs do not overlap, the one that begins first ends first, too.
function ordered(lists) {
  const all = (part) => {
    const made = new Float64Array(lists.reduce((sum, list) => sum + list[part].length, 0));
    lists.reduce((at, list) => (made.set(list[part], at), at + list[part].length), 0);
    return made.sort();
  };
  const [starts, stops] = [all("starts"), all("stops")];
  return { count: starts.length, starts, stops };
}

function checkApart({ count, starts, stops }, data) {
  for (let run = 0, box = 0; run < count; run++) {
    while (box < data.length && data[box].stop <= starts[run]) box++;
    const isInside = box < data.length && data[box].content <= starts[run] && stops[run] <= data[box].stop;
    sure(isInside, "samples lie outside of the data");
    sure(!run || stops[run - 1] <= starts[run], "samples overlap");
  }
}

/**
 * The chunks of a track that are not empty, as {starts, stops}. Where all samples are of one size, QuickTime may count in units that
 * only a codec knows: so they reach to the next chunk of any track.
 */
function chunksOf(bytes, track, borders) {
  const sizes = sizesOf(bytes, track);
  const places = offsetsOf(bytes, track);
  const counts = chunkCounts(bytes, track, places.count, sizes.count);
  const [starts, stops] = [new Float64Array(places.count), new Float64Array(places.count)];
  let [number, found] = [0, 0];
  for (let chunk = 0; chunk < places.count; chunk++) {
    const start = places.of(chunk);
    let size = 0;
    if (sizes.constant) size = sizes.constant * counts[chunk];
    else for (let left = counts[chunk]; left; left--) size += sizes.of(number++);
    const border = borders[firstOver(borders, start)];
    sure(start + size <= border, "a chunk reaches into another one, or out of the data");
    const stop = sizes.constant ? border : start + size;
    if (stop > start) [starts[found], stops[found++]] = [start, stop];
  }
  return { starts: starts.subarray(0, found), stops: stops.subarray(0, found) };
}

/** Where everything comes to lie: {runs, boxes, moved}; `moved` gives the new place of a byte of a run. */
export function layOut(top, runs, movieSize) {
  const news = new Float64Array(runs.count);
  const boxes = [];
  let at = 0;
  for (const box of top.filter(({ kind }) => !FILLING.includes(kind))) {
    sure(box.kind === "moov" || box.kind === "mdat" || KEPT.includes(box.kind), `it has a ${box.kind}`);
    const laid = box.kind === "mdat" ? laidData(box, runs, news, at) : { size: box.kind === "moov" ? movieSize : box.stop - box.start };
    boxes.push({ box, ...laid });
    at += laid.size;
  }
  return { runs, boxes, moved: (place) => moved(place, runs, news) };
}

/** The runs in an `mdat` that begins at `at`, from `first` to before `next`; their places go into `news`. */
function laidData(box, { count, starts, stops }, news, at) {
  const first = firstOver(starts, box.content - 1);
  let [size, next] = [box.content - box.start, first];
  for (; next < count && starts[next] < box.stop; next++) {
    news[next] = at + size;
    size += stops[next] - starts[next];
  }
  return { first, next, size };
}

function moved(place, { count, starts, stops }, news) {
  const found = firstOver(starts, place) - 1;
  // A chunk or a sample without content may lie anywhere.
  if (found < 0 || place > stops[found]) return count ? news[Math.max(found, 0)] : 0;
  return news[found] + place - starts[found];
}

// Bisection: where the least one is that is larger than `value`; the end if none is.
function firstOver(numbers, value) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
