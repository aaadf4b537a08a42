/** The elements that a Matroska or WebM is made of (RFC 8794, 4 to 6). */

import { uint, uintBytes } from "./bytes.js";
import { sure } from "./source.js";

export const LONGEST_HEADER = 12;

/** The header at the beginning of `bytes`: {id, header, size}, both in bytes; a size of null is not known. */
export function headerOf(bytes) {
  const width = widthOf(bytes[0]);
  const length = widthOf(bytes[width]);
  sure(width <= 4 && width + length <= bytes.length, "an element is cut off");
  const size = vint(bytes.subarray(width), length);
  return { id: uint(bytes, 0, width), header: width + length, size };
}

// The number of leading zeros says how many bytes there are.
function widthOf(first) {
  sure(first > 0, "it is no element");
  return Math.clz32(first) - 23;
}

function vint(bytes, length) {
  const digits = bytes.slice(0, length);
  digits[0] &= 0xff >> length;
  if (digits[0] === 0xff >> length && digits.subarray(1).every((digit) => digit === 0xff)) return null;
  return uint(digits, 0, length);
}

/** A number that says by itself how long it is, as blocks have for their track: {value, width}. */
export function numberAt(bytes, at) {
  const width = widthOf(bytes[at]);
  return { value: vint(bytes.subarray(at), width), width };
}

/** A header with an ID and a size of eight bytes. */
export function header(id, size) {
  const width = id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1;
  const made = new Uint8Array(width + 8);
  made.set(uintBytes(id, width));
  made.set(uintBytes(size, 8), width);
  made[width] |= 1;
  return made;
}

/** The elements inside of `bytes` between two positions: {id, start, content, stop}. */
export function elementsIn(bytes, start = 0, stop = bytes.length) {
  const found = [];
  while (start < stop) {
    const { id, header: width, size } = headerOf(bytes.subarray(start, Math.min(start + LONGEST_HEADER, stop)));
    sure(size !== null && start + width + size <= stop, "an element does not fit");
    found.push({ id, start, content: start + width, stop: start + width + size });
    start += width + size;
  }
  return found;
}

/** The first one of an ID, or undefined. */
export const firstOf = (elements, id) => elements.find((element) => element.id === id);

/** The unsigned number that an element holds, or `other` where there is none. */
export const numberOf = (bytes, element, other) =>
  element ? uint(bytes, element.content, element.stop - element.content) : other;
