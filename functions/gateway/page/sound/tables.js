/** The tables of a track in an MP4 or MOV (ISO/IEC 14496-12, 8.6 and 8.7): which samples it has, how large, where and when. */

import { child, inside } from "./boxes.js";
import { letters, putUint, uint, viewOf } from "./bytes.js";
import { sure } from "./source.js";

const HEADERS = { 0: 12, 1: 20 }; // where tkhd has the number of its track, and mdhd the ticks of a second, by version
const NEEDED = ["stsd", "stts", "stsc"];

/** What is needed of a track: the `trak` box in the bytes of a `moov`. */
export function trackOf(bytes, trak) {
  const table = child(bytes, trak, "mdia", "minf", "stbl");
  const header = child(bytes, trak, "tkhd");
  const handler = child(bytes, trak, "mdia", "hdlr");
  const clock = child(bytes, trak, "mdia", "mdhd");
  sure(table && header && handler && clock, "a track has no tables");
  const parts = new Map(inside(bytes, table).map((box) => [box.kind, box]));
  sure(NEEDED.every((kind) => parts.has(kind)), "a track has not all tables");
  checkSelfContained(bytes, child(bytes, trak, "mdia", "minf", "dinf", "dref"));
  return {
    trak,
    table,
    parts,
    number: uint(bytes, header.content + HEADERS[bytes[header.content]], 4),
    scale: uint(bytes, clock.content + HEADERS[bytes[clock.content]], 4),
    handler: letters(bytes, handler.content + 8),
    chapters: referredTo(bytes, child(bytes, trak, "tref", "chap")),
    ...edited(bytes, child(bytes, trak, "edts", "elst")),
  };
}

// 8.7.2: the samples of a track may lie in other files.
function checkSelfContained(bytes, list) {
  if (!list) return;
  const entries = boxesOfList(bytes, list);
  sure(entries.every((entry) => bytes[entry.content + 3] & 1 || entry.kind === "alis"), "samples lie in another file");
}

const boxesOfList = (bytes, list) => inside(bytes, { content: list.content + 8, stop: list.stop });

function referredTo(bytes, box) {
  const found = [];
  for (let at = box?.content ?? 0; box && at + 4 <= box.stop; at += 4) found.push(uint(bytes, at, 4));
  return found;
}

/** What the edit list of a track says (8.6.6): how many parts are played, and from when on, in its ticks. */
function edited(bytes, box) {
  if (!box) return { edits: 0, firstTime: 0 };
  const [view, version] = [viewOf(bytes), bytes[box.content]];
  const entries = [...rows(bytes, box, version === 1 ? 20 : 12)];
  const times = entries.map((entry) => (version === 1 ? Number(view.getBigInt64(entry + 8)) : view.getInt32(entry + 4)));
  const played = times.filter((time) => time >= 0);
  return { edits: played.length, firstTime: played[0] ?? 0 };
}

/** Where each row of a table begins, one after the other: after a version and a count, all are of one width. */
export function* rows(bytes, box, width) {
  const count = box ? countOf(bytes, box, width) : 0;
  for (let number = 0; number < count; number++) yield box.content + 8 + number * width;
}

function countOf(bytes, box, width) {
  const count = uint(bytes, box.content + 4, 4);
  sure(box.content + 8 + count * width <= box.stop, `a ${box.kind} is cut off`);
  return count;
}

/** The sizes of samples: {count, constant, of(number)}; a constant one may be a unit of its own in QuickTime. */
export function sizesOf(bytes, { parts }) {
  const box = parts.get("stsz") ?? parts.get("stz2");
  sure(box, "a track has no sizes");
  const count = uint(bytes, box.content + 8, 4);
  if (box.kind === "stz2") return compactSizes(bytes, box, count);
  const constant = uint(bytes, box.content + 4, 4);
  if (constant) return { count, constant, of: () => constant };
  sure(box.content + 12 + count * 4 <= box.stop, "the sizes are cut off");
  return { count, constant: 0, of: (number) => uint(bytes, box.content + 12 + number * 4, 4) };
}

function compactSizes(bytes, box, count) {
  const width = bytes[box.content + 7];
  sure((width === 8 || width === 16) && box.content + 12 + (count * width) / 8 <= box.stop, "the sizes are not known");
  return { count, constant: 0, of: (number) => uint(bytes, box.content + 12 + (number * width) / 8, width / 8) };
}

/** Where the chunks of a track lie: {count, of(number), put(number, place)}. */
export function offsetsOf(bytes, { parts }) {
  const box = parts.get("stco") ?? parts.get("co64");
  sure(box && !(parts.has("stco") && parts.has("co64")), "a track has no places, or two");
  const width = box.kind === "stco" ? 4 : 8;
  const count = countOf(bytes, box, width);
  const at = (number) => box.content + 8 + number * width;
  return {
    count,
    of: (number) => uint(bytes, at(number), width),
    put: (number, place) => putUint(bytes, at(number), width, place),
  };
}

/** How many samples each chunk has. Throws Unsure where these are not all. */
export function chunkCounts(bytes, track, chunks, samples) {
  const counts = new Uint32Array(chunks);
  const entries = [...rows(bytes, track.parts.get("stsc"), 12)];
  let counted = 0;
  entries.forEach((entry, number) => {
    const [first, count] = [uint(bytes, entry, 4) - 1, uint(bytes, entry + 4, 4)];
    const stop = number + 1 < entries.length ? uint(bytes, entries[number + 1], 4) - 1 : chunks;
    sure(first < stop && stop <= chunks, "the chunks are not in order");
    counts.fill(count, first, stop);
    counted += count * (stop - first);
  });
  sure(counted === samples, "the chunks have other samples than there are");
  return counts;
}
