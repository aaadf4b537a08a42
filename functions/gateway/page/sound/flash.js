/** FLV (Adobe Flash Video File Format Specification 10.1, annex E). */

import { joined, letters, uint, uintBytes } from "./bytes.js";
import { sure } from "./source.js";

const [SOUND, PICTURE, SCRIPT] = [8, 9, 18];
const [HEADER, TAG, BACK] = [9, 11, 4];
const LONGEST = TAG + 2;
// Of pictures stay the first ones, and those at the end, which may say how long the file is; so much of each.
const [STUBS, STUB, TAIL] = [16, 32, 4 * 1024 * 1024];
// FFmpeg looks for the tracks in five seconds and 5 MB.
const [PROBED_MS, PROBED] = [4500, 4_500_000];
const [AVC, EXTENDED] = [7, 0x80];

export const flash = {
  begins: (head) => head.length > HEADER + BACK && letters(head, 0) === "FLV\x01",
  take: takeFlash,
};

/** Puts into `parts` what is to be sent of a Source. */
async function takeFlash(source, parts) {
  const head = await source.bytes(0, HEADER + BACK);
  sure(uint(head, 5, 4) === HEADER && !uint(head, HEADER, BACK), "its header is longer than usual");
  parts.keep(0, HEADER + BACK);
  const seen = { pictures: 0, first: null, sound: null };
  for (let at = HEADER + BACK; at < source.size; ) at = await takeTag(source, at, parts, seen);
  sure(seen.pictures && seen.sound, "there is no sound, or nothing else");
  sure(seen.sound.time - seen.first.time <= PROBED_MS && seen.sound.at <= PROBED, "the sound begins late");
}

/** Takes one tag. Resolves to where the next one begins. */
async function takeTag(source, at, parts, seen) {
  const { kind, time, body, stop } = await tagAt(source, at);
  if (kind !== SCRIPT) seen.first ??= { time, at };
  if (kind === SOUND) seen.sound ??= { time, at };
  if (kind !== PICTURE) parts.keep(at, stop);
  else if (body) await takePicture(source, { at, body, stop }, parts, seen);
  return stop;
}

async function tagAt(source, at) {
  const head = await source.upTo(at, LONGEST);
  sure(head.length >= TAG, "it is cut off");
  const [kind, body] = [head[0], uint(head, 1, 3)];
  sure([SOUND, PICTURE, SCRIPT].includes(kind), "it has an unknown part, or is encrypted");
  const found = { kind, time: uint(head, 4, 3) + head[7] * 2 ** 24, body, stop: at + TAG + body + BACK };
  sure(found.stop <= source.size, "it is cut off");
  sure(uint(await source.bytes(found.stop - BACK, BACK), 0, BACK) === TAG + body, "a part does not fit");
  return found;
}

async function takePicture(source, { at, body, stop }, parts, seen) {
  seen.pictures++;
  const start = await source.bytes(at, Math.min(TAG + body, TAG + STUB));
  if (describes(start)) return parts.keep(at, stop);
  if (seen.pictures > STUBS && at < source.size - TAIL) return undefined;
  const left = start.length - TAG;
  return parts.put(joined([start.subarray(0, 1), uintBytes(left, 3), start.subarray(4), uintBytes(TAG + left, BACK)]));
}

// What decoders are set up by, before the first picture (E.4.3; the second form is that of Enhanced RTMP).
function describes(tag) {
  const first = tag[TAG];
  return first & EXTENDED ? (first & 0x0f) === 0 : (first & 0x0f) === AVC && tag[TAG + 1] === 0;
}
