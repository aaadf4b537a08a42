/** MP4, MOV and their kin, whose whole index is in one `moov` box. Those in fragments are for fragments.js. */

import { boxOf, copyOf, inside, topBoxes } from "./boxes.js";
import { joined, letters, putUint, uint, uintBytes } from "./bytes.js";
import { readsItself } from "./descriptions.js";
import { takeFragments } from "./fragments.js";
import { sure } from "./source.js";
import { stubsOf, stubTrack } from "./stubs.js";
import { chunkCounts, offsetsOf, sizesOf, trackOf } from "./tables.js";

const FIRST = ["ftyp", "moov", "mdat", "wide", "free", "skip", "pnot"];
const FILLING = ["free", "skip", "wide"];
const KEPT = ["ftyp", "pnot", "PICT", "udta", "uuid", "pdin"];
const FRAGMENTS = ["moof", "sidx", "styp", "mfra", "ssix", "emsg", "prft"];
// What may be in memory.
const [MAX_INDEX, MAX_CHUNKS] = [64 * 1024 * 1024, 2_000_000];
// So much FFmpeg reads to know the tracks (convert's _PROBED_OF_MP4, and FFmpeg's default), less what surrounds it.
const [PROBED, PROBED_FURTHER] = [150_000, 4_000_000];

export const mp4 = {
  begins: (head) => head.length >= 8 && (FIRST.includes(letters(head, 4)) || FRAGMENTS.includes(letters(head, 4))),
  take: takeMp4,
};

/** Puts into `parts` what is to be sent of a Source. */
async function takeMp4(source, parts) {
  const top = await topBoxes(source);
  const movies = top.filter(({ kind }) => kind === "moov");
  sure(movies.length === 1 && top.filter(({ kind }) => kind === "ftyp").length < 2, "it is not one movie");
  const [movie] = movies;
  sure(movie.stop - movie.start <= MAX_INDEX, "the index is too large");
  const bytes = (await source.bytes(movie.start, movie.stop - movie.start)).slice();
  const moov = { ...movie, start: 0, content: movie.content - movie.start, stop: bytes.length };
  const isExtended = inside(bytes, moov).some(({ kind }) => kind === "mvex");
  if (isExtended || top.some(({ kind }) => FRAGMENTS.includes(kind))) return takeFragments(source, top, bytes, moov, parts);
  return takeWhole(top, bytes, moov, parts);
}

/** Which tracks of a movie stay whole, and which leave stubs: {kept, dropped}. */
export function sorted(tracks) {
  const chapters = new Set(tracks.flatMap((track) => track.chapters));
  const stays = (track) => track.handler === "soun" || chapters.has(track.number);
  const kept = tracks.filter(stays);
  sure(kept.length < tracks.length, "there is nothing but sound");
  sure(kept.some(({ handler }) => handler === "soun"), "there is no sound");
  const dropped = tracks.filter((track) => !stays(track));
  sure(dropped.every(({ edits }) => edits < 2), "the pictures are put together of several parts");
  sure(kept.every(({ parts }) => !parts.has("saio") && !parts.has("senc")), "the sound is encrypted");
  return { kept, dropped };
}

export const tracksOf = (bytes, moov) =>
  inside(bytes, moov).filter(({ kind }) => kind === "trak").map((trak) => trackOf(bytes, trak));

async function takeWhole(top, bytes, moov, parts) {
  const { kept, dropped } = sorted(tracksOf(bytes, moov));
  const stubs = dropped.map((track) => stubsOf(bytes, track));
  const runs = runsOf(bytes, kept, dropped, stubs, top.filter(({ kind }) => kind === "mdat"));
  checkProbing(bytes, kept, top, runs);
  // Of the same size wherever the stubs lie.
  const size = movieOf(bytes, moov, dropped, stubs, (place) => place).length;
  const layout = layOut(top, runs, size);
  for (const track of kept) moveChunks(bytes, track, layout.moved);
  await write(layout, movieOf(bytes, moov, dropped, stubs, layout.moved), parts);
}

/** All that stays of the samples, [start, stop], in the order of the file. Throws Unsure where any samples overlap. */
function runsOf(bytes, kept, dropped, stubs, data) {
  const tracks = [...kept, ...dropped];
  const starts = tracks.flatMap((track) => {
    const { width, at } = offsetsOf(bytes, track);
    return at.map((place) => uint(bytes, place, width));
  });
  sure(starts.length <= MAX_CHUNKS, "there are too many chunks");
  const borders = Float64Array.from([...new Set([...starts, ...data.map(({ stop }) => stop)])]).sort();
  const chunks = new Map(tracks.map((track) => [track, chunksOf(bytes, track, borders)]));
  checkApart(ordered([...chunks.values()].flat()), data);
  const stubbed = stubs.flatMap(({ ranges }) => ranges.map(([start, length]) => [start, start + length]));
  return ordered([...kept.flatMap((track) => chunks.get(track)), ...stubbed]);
}

const ordered = (runs) => runs.filter(([start, stop]) => stop > start).sort(([one], [other]) => one - other);

function checkApart(runs, data) {
  let box = 0;
  runs.forEach(([start, stop], number) => {
    while (box < data.length && data[box].stop <= start) box++;
    sure(box < data.length && data[box].content <= start && stop <= data[box].stop, "samples lie outside of the data");
    sure(!number || runs[number - 1][1] <= start, "samples overlap");
  });
}

/**
 * The chunks of a track, as [start, stop]. Where all samples are of one size, QuickTime may count in units that only a
 * codec knows: so they reach to the next chunk of any track.
 */
function chunksOf(bytes, track, borders) {
  const sizes = sizesOf(bytes, track);
  const { width, at } = offsetsOf(bytes, track);
  const counts = chunkCounts(bytes, track, at.length, sizes.count);
  const found = [];
  let number = 0;
  for (let chunk = 0; chunk < at.length; chunk++) {
    const start = uint(bytes, at[chunk], width);
    let size = 0;
    if (sizes.constant) size = sizes.constant * counts[chunk];
    else for (let left = counts[chunk]; left; left--) size += sizes.of(number++);
    const border = after(borders, start);
    sure(start + size <= border, "a chunk reaches into another one");
    found.push([start, sizes.constant ? border : start + size]);
  }
  return found;
}

// Bisection: the least one that is larger.
function after(numbers, value) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  sure(low < numbers.length, "samples lie outside of the data");
  return numbers[low];
}

/**
 * Of what FFmpeg reads to know the tracks, pictures are a part. Without them it gets further: to sound that it did not see
 * before. That makes no difference where the index says all about the sound anyhow.
 */
function checkProbing(bytes, kept, top, runs) {
  if (!runs.length) return;
  const first = Math.min(...top.filter(({ kind }) => kind === "mdat").map(({ content }) => content));
  for (const track of kept.filter(({ handler }) => handler === "soun")) {
    const { width, at } = offsetsOf(bytes, track);
    const before = at.length ? uint(bytes, at[0], width) - first : 0;
    sure(before < (readsItself(bytes, track) ? PROBED_FURTHER : PROBED), "the sound begins late in the file");
  }
}

/** The movie with stubs in place of what is left out. */
function movieOf(bytes, moov, dropped, stubs, moved) {
  const parts = inside(bytes, moov).map((box) => {
    const number = dropped.findIndex(({ trak }) => trak.start === box.start);
    if (number < 0) return copyOf(bytes, box);
    return stubTrack(bytes, dropped[number], stubs[number], stubs[number].ranges.map(([start]) => moved(start)));
  });
  return boxOf("moov", ...parts);
}

/** Where everything comes to lie: {boxes, moved}; `moved` gives the new place of a byte of a run. */
function layOut(top, runs, movieSize) {
  const [boxes, olds, news] = [[], [], []];
  let at = 0;
  for (const box of top.filter(({ kind }) => !FILLING.includes(kind))) {
    sure(box.kind === "moov" || box.kind === "mdat" || KEPT.includes(box.kind), `it has a ${box.kind}`);
    const laid = { box, runs: box.kind === "mdat" ? runs.filter(([start]) => start >= box.content && start < box.stop) : [] };
    const header = box.content - box.start;
    laid.size = box.kind === "moov" ? movieSize : box.kind === "mdat" ? header : box.stop - box.start;
    for (const [start, stop] of laid.runs) {
      olds.push(start);
      news.push(at + laid.size);
      laid.size += stop - start;
    }
    boxes.push(laid);
    at += laid.size;
  }
  const starts = Float64Array.from(olds);
  return { boxes, moved: (place) => moved(place, starts, news, runs) };
}

function moved(place, starts, news, runs) {
  const found = starts.length ? lastUpTo(starts, place) : -1;
  // A chunk or a sample without content may lie anywhere.
  if (found < 0 || place > runs[found][1]) return news[Math.max(found, 0)] ?? 0;
  return news[found] + place - starts[found];
}

function lastUpTo(numbers, value) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function moveChunks(bytes, track, moved) {
  const { width, at } = offsetsOf(bytes, track);
  for (const place of at) putUint(bytes, place, width, moved(uint(bytes, place, width)));
}

async function write({ boxes }, movie, parts) {
  for (const { box, runs, size } of boxes) {
    if (box.kind === "moov") parts.put(movie);
    else if (box.kind !== "mdat") await parts.keep(box.start, box.stop);
    else {
      parts.put(dataHeader(box, size));
      await parts.keepAll(Float64Array.from(runs.flatMap(([start, stop]) => [start, stop - start])));
    }
  }
}

/** The header of an `mdat` of so many bytes, as long as the one of `box`. */
export function dataHeader(box, size) {
  const kind = Uint8Array.of(0x6d, 0x64, 0x61, 0x74);
  return box.content - box.start === 16
    ? joined([uintBytes(1, 4), kind, uintBytes(size, 8)])
    : joined([uintBytes(size, 4), kind]);
}
