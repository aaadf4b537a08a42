/** MPEG transport streams (ISO/IEC 13818-1), also with the four bytes before each packet that cameras and Blu-ray discs write (M2TS). */

import { uint } from "./bytes.js";
import { firstTables, sameTables } from "./programs.js";
import { sure } from "./source.js";

const [PACKET, SYNC, LOOKED_AT] = [188, 0x47, 5];
const [NULLS, RESERVED] = [0x1fff, 0x20]; // what fills up, and the first PID that is not of the tables that describe
const WINDOW = 4096; // packets that are read at once
// Of a track of pictures stay the beginnings of its first ones, and of those at the end, by whose times FFmpeg tells how long a stream is.
const [STUBS, STUB_PACKETS, TAIL] = [20, 8, 4 * 1024 * 1024];
// FFmpeg looks for the tracks in five seconds and 5 MB: where it found sound there, it finds it, too, with pictures left out.
const [PROBED_SECONDS, PROBED, CLOCK] = [4.5, 4_500_000, 90_000];

export const transport = {
  begins: (head) => layoutOf(head) !== null,
  take: takeTransport,
};

/** How packets lie: {size, before}, both in bytes; null if it is no such stream. */
function layoutOf(head) {
  const layouts = [{ size: PACKET, before: 0 }, { size: PACKET + 4, before: 4 }];
  const fits = ({ size, before }) => Array.from({ length: LOOKED_AT }, (_, n) => head[n * size + before]).every((byte) => byte === SYNC);
  return layouts.find(fits) ?? null;
}

/** Puts into `parts` what is to be sent of a Source. */
async function takeTransport(source, parts) {
  const layout = layoutOf(await source.upTo(0, LOOKED_AT * (PACKET + 4)));
  sure(source.size % layout.size === 0, "it is cut off");
  const writer = new Writer(source.size, layout, await firstTables(source, layout), parts);
  for (let at = 0; at < source.size; at += WINDOW * layout.size) {
    writer.take(await source.exactly(at, Math.min(WINDOW * layout.size, source.size - at)), at);
  }
  writer.check();
}

class Writer {
  #layout;
  #tables;
  #parts;
  #tail; // from there on the beginning of each picture stays
  #pictures; // PID → {begun, left, counter}
  #sound = null; // {at, time} of the first packet of it
  #first = null; // the same of the first packet of any track

  constructor(size, layout, tables, parts) {
    this.#tail = Math.max(size - TAIL, 0);
    this.#layout = layout;
    this.#tables = tables;
    this.#parts = parts;
    this.#pictures = new Map([...tables.pictures].map((pid) => [pid, { begun: 0, left: 0, counter: null }]));
  }

  /** Takes whole packets; `start` is where in the file they lie. */
  take(bytes, start) {
    const { size, before } = this.#layout;
    for (let at = before; at < bytes.length; at += size) {
      sure(bytes[at] === SYNC && !(bytes[at + 1] & 0x80), "a packet is damaged");
      const pid = ((bytes[at + 1] & 0x1f) << 8) | bytes[at + 2];
      if (pid === NULLS || (pid === this.#tables.clock && !this.#isOfTrack(pid))) continue;
      this.#packet(bytes, at, start + at - before, pid);
    }
  }

  #isOfTrack(pid) {
    return this.#pictures.has(pid) || this.#tables.others.has(pid);
  }

  #packet(bytes, at, place, pid) {
    if (pid < RESERVED || pid === this.#tables.program) {
      sameTables(bytes, at, pid, this.#tables);
      return this.#parts.keep(place, place + this.#layout.size);
    }
    sure(this.#isOfTrack(pid), "a packet is of no track");
    sure(!(bytes[at + 3] & 0xc0), "it is encrypted");
    const isBegin = Boolean(bytes[at + 1] & 0x40);
    if (isBegin) this.#note(bytes, at, place, pid);
    if (this.#pictures.has(pid)) return this.#picture(bytes, at, place, this.#pictures.get(pid), isBegin);
    return this.#parts.keep(place, place + this.#layout.size);
  }

  /** Puts the packet if it is one of the first of a picture that stays. Counters go on without a gap. */
  #picture(bytes, at, place, track, isBegin) {
    if (isBegin) {
      track.left = track.begun < STUBS ? STUB_PACKETS : place >= this.#tail ? 1 : 0;
      track.begun++;
    }
    if (track.left-- <= 0) return;
    const { size, before } = this.#layout;
    const packet = bytes.slice(at - before, at - before + size);
    const hasPayload = packet[before + 3] & 0x10;
    track.counter = track.counter === null ? packet[before + 3] & 0xf : (track.counter + (hasPayload ? 1 : 0)) & 0xf;
    packet[before + 3] = (packet[before + 3] & 0xf0) | track.counter;
    this.#parts.put(packet);
  }

  #note(bytes, at, place, pid) {
    if (this.#sound && this.#first) return;
    const seen = { at: place, time: timeOf(bytes, at) };
    this.#first ??= seen;
    if (pid === this.#tables.sound) this.#sound ??= seen;
  }

  /** Throws Unsure where it turned out that the sound begins late. */
  check() {
    sure(this.#sound && this.#sound.time !== null && this.#first.time !== null, "when the sound begins is not told");
    const isLate = Math.abs(this.#sound.time - this.#first.time) > PROBED_SECONDS || this.#sound.at > PROBED;
    sure(!isLate, "the sound begins late");
  }
}

/** When what begins in a packet is to be shown, in seconds; null if it is not told (2.4.3.6). */
function timeOf(bytes, at) {
  const pes = at + 4 + (bytes[at + 3] & 0x20 ? 1 + bytes[at + 4] : 0);
  if (pes + 14 > at + PACKET || uint(bytes, pes, 3) !== 1 || !(bytes[pes + 7] & 0x80)) return null;
  const [high, middle, low] = [(bytes[pes + 9] >> 1) & 7, uint(bytes, pes + 10, 2) >> 1, uint(bytes, pes + 12, 2) >> 1];
  return (high * 2 ** 30 + middle * 2 ** 15 + low) / CLOCK;
}
