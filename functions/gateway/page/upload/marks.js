/** Whether a file that is chosen again is the one that was begun with: by digests of parts of it, which are quick to make of any size. */

import { bytesOf } from "./contents.js";

const [PARTS, PART] = [16, 64 * 1024];
// CRC-32 (ISO 3309), since browsers offer better digests to pages over HTTPS only. Nobody has a reason to deceive us here.
const POLYNOMIAL = 0xedb88320;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

/** The digests of {size, read(start, stop)}: of its beginning, of its end, and of parts between them, as one text. */
export async function marksOf(contents) {
  const found = [];
  const last = Math.max(contents.size - PART, 0);
  for (let part = 0; part < PARTS; part++) {
    const start = Math.round((last * part) / (PARTS - 1));
    found.push(crc(await bytesOf(await contents.read(start, Math.min(start + PART, contents.size)))));
  }
  return found.map((value) => value.toString(16).padStart(8, "0")).join("");
}

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** What is kept to know a File by later. */
export async function known(file, contents) {
  return { name: file.name, size: file.size, modified: file.lastModified, marks: await marksOf(contents) };
}

/** Whether a File is that one. */
export async function isKnown(file, { name, size, modified, marks }, contents) {
  const looksSo = file.name === name && file.size === size && file.lastModified === modified;
  return looksSo && (await marksOf(contents)) === marks;
}
