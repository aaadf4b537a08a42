/** Which sound an MP4 or MOV describes so fully in its index that nothing has to be read of the sound itself. */

import { boxesIn, inside } from "./boxes.js";
import { uint } from "./bytes.js";

const PLAIN = ["sowt", "twos", "lpcm", "in24", "in32", "fl32", "fl64", "ipcm", "fpcm", "raw ", "NONE", "ulaw", "alaw"];
const DESCRIBED = ["alac", "fLaC", "Opus", ...PLAIN];
const [ES, DECODER, AAC] = [0x03, 0x04, 0x40]; // ISO/IEC 14496-1, 7.2.6

/** Whether that is so of each description of a track. */
export function readsItself(bytes, { parts }) {
  const list = parts.get("stsd");
  const entries = boxesIn(bytes, list.content + 8, list.stop);
  return entries.every((entry) => DESCRIBED.includes(entry.kind) || (entry.kind === "mp4a" && isAac(bytes, entry)));
}

// QuickTime has two longer forms of a sound description (QuickTime File Format, sound sample descriptions).
const LENGTHS = { 0: 28, 1: 44, 2: 64 };

function isAac(bytes, entry) {
  const start = entry.content + LENGTHS[uint(bytes, entry.content + 8, 2)];
  const extensions = boxesIn(bytes, start, entry.stop);
  const wave = extensions.find(({ kind }) => kind === "wave");
  const esds = (wave ? inside(bytes, wave) : extensions).find(({ kind }) => kind === "esds");
  return Boolean(esds) && objectType(bytes, esds.content + 4) === AAC;
}

function objectType(bytes, at) {
  if (bytes[at] !== ES) return null;
  const es = lengthEnd(bytes, at + 1);
  const flags = bytes[es + 2];
  const extra = (flags & 0x80 ? 2 : 0) + (flags & 0x40 ? 1 + bytes[es + 3 + (flags & 0x80 ? 2 : 0)] : 0) + (flags & 0x20 ? 2 : 0);
  const decoder = es + 3 + extra;
  return bytes[decoder] === DECODER ? bytes[lengthEnd(bytes, decoder + 1)] : null;
}

// A length is in up to four bytes, the last of which is less than 128.
function lengthEnd(bytes, at) {
  while (bytes[at] & 0x80) at++;
  return at + 1;
}
