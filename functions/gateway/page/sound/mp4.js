/** MP4, MOV and their kin, whose whole index is in one `moov` box. Those in fragments are for fragments.js. */

import { boxOf, copyOf, inside, topBoxes } from "./boxes.js";
import { joined, letters, uintBytes } from "./bytes.js";
import { readsItself } from "./descriptions.js";
import { takeFragments } from "./fragments.js";
import { layOut, runsOf } from "./layout.js";
import { sure } from "./source.js";
import { stubsOf, stubTrack } from "./stubs.js";
import { offsetsOf, trackOf } from "./tables.js";

const FIRST = ["ftyp", "moov", "mdat", "wide", "free", "skip", "pnot"];
const FRAGMENTS = ["moof", "sidx", "styp", "mfra", "ssix", "emsg", "prft"];
// What may be in memory.
const MAX_INDEX = 64 * 1024 * 1024;
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
  const bytes = await source.own(movie.start, movie.stop - movie.start);
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

function takeWhole(top, bytes, moov, parts) {
  const { kept, dropped } = sorted(tracksOf(bytes, moov));
  const stubs = dropped.map((track) => stubsOf(bytes, track));
  const runs = runsOf(bytes, kept, dropped, stubs, top.filter(({ kind }) => kind === "mdat"));
  if (runs.count) checkProbing(bytes, kept, top);
  // Of the same size wherever the stubs lie.
  const size = movieOf(bytes, moov, dropped, stubs, (place) => place).length;
  const layout = layOut(top, runs, size);
  for (const track of kept) moveChunks(bytes, track, layout.moved);
  write(layout, movieOf(bytes, moov, dropped, stubs, layout.moved), parts);
}

function moveChunks(bytes, track, moved) {
  const places = offsetsOf(bytes, track);
  for (let chunk = 0; chunk < places.count; chunk++) places.put(chunk, moved(places.of(chunk)));
}

function write({ boxes, runs }, movie, parts) {
  for (const { box, size, first, next } of boxes) {
    if (box.kind === "moov") parts.put(movie);
    else if (box.kind !== "mdat") parts.keep(box.start, box.stop);
    else {
      parts.put(dataHeader(box, size));
      for (let run = first; run < next; run++) parts.keep(runs.starts[run], runs.stops[run]);
    }
  }
}

/**
 * Of what FFmpeg reads to know the tracks, pictures are a part. Without them it gets further: to sound that it did not see
 * before. That makes no difference where the index says all about the sound anyhow.
 */
function checkProbing(bytes, kept, top) {
  const first = Math.min(...top.filter(({ kind }) => kind === "mdat").map(({ content }) => content));
  for (const track of kept.filter(({ handler }) => handler === "soun")) {
    const places = offsetsOf(bytes, track);
    const before = places.count ? places.of(0) - first : 0;
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

/** The header of an `mdat` of so many bytes, as long as the one of `box`. */
export function dataHeader(box, size) {
  const kind = Uint8Array.of(0x6d, 0x64, 0x61, 0x74);
  return box.content - box.start === 16
    ? joined([uintBytes(1, 4), kind, uintBytes(size, 8)])
    : joined([uintBytes(size, 4), kind]);
}
