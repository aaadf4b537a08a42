/** Numbers in bytes, the most significant byte first; positions and sizes are exact up to 2⁵³. */

import { sure } from "./source.js";

export const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** An unsigned number of `width` bytes at `at`. Throws Unsure where JavaScript cannot count so far. */
export function uint(bytes, at, width) {
  let value = 0;
  for (let place = at; place < at + width; place++) value = value * 256 + bytes[place];
  sure(Number.isSafeInteger(value), "a number is too large, or not all there");
  return value;
}

/** Writes it there. Throws Unsure where it does not fit. */
export function putUint(bytes, at, width, value) {
  sure(value >= 0 && value < 256 ** width, "a number does not fit in its place");
  let rest = value;
  for (let place = at + width - 1; place >= at; place--) {
    bytes[place] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** `width` bytes of a number. */
export function uintBytes(value, width) {
  const made = new Uint8Array(width);
  putUint(made, 0, width, value);
  return made;
}

/** Four letters. */
export const letters = (bytes, at) => String.fromCharCode(...bytes.subarray(at, at + 4));

export const lettersBytes = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Several byte arrays as one. */
export function joined(parts) {
  const made = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  return made;
}
