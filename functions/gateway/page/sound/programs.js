/** The tables of a transport stream that say which tracks there are (ISO/IEC 13818-1, 2.4.4). */

import { uint } from "./bytes.js";
import { sure } from "./source.js";

const PACKET = 188;
// The tables come several times a second: here they are looked for.
const SEARCHED = 2 * 1024 * 1024;
const [ASSOCIATIONS, PROGRAM] = [0x00, 0x02]; // table_id
// Stream types (table 2-34, and those of others that are in use): MPEG-1 and -2, MPEG-4, AVC, its layers, HEVC, VVC, VC-1, Dirac, AVS.
const PICTURES = [0x01, 0x02, 0x10, 0x1b, 0x1f, 0x20, 0x24, 0x25, 0x33, 0xea, 0xd1, 0x42, 0xd2, 0xd4];
// Sections, data, signs, titles of Blu-ray discs, splices: no sound, and little.
const DATA = [0x05, 0x08, 0x0b, 0x0c, 0x0d, 0x14, 0x15, 0x16, 0x90, 0x91, 0x92];
const PRIVATE = 0x06;
const TEXTS = [0x56, 0x59, 0x45, 0x46]; // descriptors (ETSI EN 300 468): teletext, subtitles, VBI

/**
 * What the first tables say: {program, clock, sound, others, pictures}: PIDs, the last two in sets, where `others` are all tracks but
 * pictures. Throws Unsure for several programs, and several tracks of sound.
 */
export async function firstTables(source, { size, before }) {
  const bytes = await source.own(0, Math.min(SEARCHED - (SEARCHED % size), source.size));
  const associations = firstSection(bytes, size, before, 0);
  const [numbers, program] = programsOf(associations);
  sure(numbers.length === 1, "it has several programs, or none");
  const section = firstSection(bytes, size, before, program);
  const tracks = tracksOf(section);
  const pictures = new Set(tracks.filter(({ type }) => PICTURES.includes(type)).map(({ pid }) => pid));
  const sounds = tracks.filter((track) => !PICTURES.includes(track.type) && !isData(track));
  sure(sounds.length === 1, "it has several tracks that may be sound, or none");
  sure(pictures.size, "there is nothing but sound");
  const others = new Set(tracks.map(({ pid }) => pid).filter((pid) => !pictures.has(pid)));
  const clock = uint(section, 8, 2) & 0x1fff;
  return { program, clock, sound: sounds[0].pid, others, pictures, sections: new Map([[0, associations], [program, section]]) };
}

const isData = ({ type, descriptors }) =>
  DATA.includes(type) || (type === PRIVATE && descriptors.some((tag) => TEXTS.includes(tag)));

function firstSection(bytes, size, before, wanted) {
  for (let at = before; at + PACKET <= bytes.length; at += size) {
    if ((uint(bytes, at + 1, 2) & 0x1fff) === wanted && bytes[at + 1] & 0x40) return sectionAt(bytes, at).slice();
  }
  return sure(false, "its tracks are not told at the beginning");
}

/** The section that begins in a packet. Throws Unsure where it is not all in there. */
function sectionAt(bytes, at) {
  const payload = at + 4 + (bytes[at + 3] & 0x20 ? 1 + bytes[at + 4] : 0);
  const start = payload + 1 + bytes[payload];
  const stop = start + 3 + (uint(bytes, start + 1, 2) & 0xfff);
  sure(stop <= at + PACKET, "a table is longer than a packet");
  return bytes.subarray(start, stop);
}

/** [the numbers of the programs, the PID of the last one's table] (2.4.4.3). */
function programsOf(section) {
  sure(section[0] === ASSOCIATIONS && section.length >= 12, "it has no programs");
  const entries = Array.from({ length: (section.length - 12) / 4 }, (_, number) => 8 + number * 4);
  const programs = entries.filter((entry) => uint(section, entry, 2)); // 0 is the network's
  return [programs, programs.length ? uint(section, programs.at(-1) + 2, 2) & 0x1fff : 0];
}

/** The tracks of a program: {type, pid, descriptors} (2.4.4.8). */
function tracksOf(section) {
  sure(section[0] === PROGRAM && section.length >= 16, "its tracks are not told");
  const found = [];
  const stop = section.length - 4;
  for (let at = 12 + (uint(section, 10, 2) & 0xfff); at < stop; ) {
    const length = uint(section, at + 3, 2) & 0xfff;
    sure(at + 5 + length <= stop, "a table is cut off");
    found.push({ type: section[at], pid: uint(section, at + 1, 2) & 0x1fff, descriptors: tagsIn(section, at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return found;
}

function tagsIn(section, start, stop) {
  const found = [];
  for (let at = start; at + 2 <= stop; at += 2 + section[at + 1]) found.push(section[at]);
  return found;
}

/** Throws Unsure where the table in a packet of this PID is another one than the first. */
export function sameTables(bytes, at, pid, { sections }) {
  const first = sections.get(pid);
  if (!first || !(bytes[at + 3] & 0x10)) return;
  sure(bytes[at + 1] & 0x40, "a table is longer than a packet");
  const now = sectionAt(bytes, at);
  sure(now.length === first.length && now.every((byte, place) => byte === first[place]), "its tracks change");
}
