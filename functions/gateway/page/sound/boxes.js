/** The boxes that an MP4 or MOV is made of (ISO/IEC 14496-12, 4.2). */

import { joined, letters, lettersBytes, uint, uintBytes } from "./bytes.js";
import { sure } from "./source.js";

// No real file has more beside each other.
const MAX_BOXES = 250_000;

/** A box's {kind, start, content, stop}, in bytes, from its first 16; the last one may last until `stop`. */
export function boxAt(head, start, stop) {
  sure(head.length >= 8, "a box is cut off");
  let [size, content] = [uint(head, 0, 4), start + 8];
  if (size === 1) {
    sure(head.length >= 16, "a box is cut off");
    [size, content] = [uint(head, 8, 8), start + 16];
  } else if (size === 0) {
    size = stop - start;
  }
  sure(start + size >= content && start + size <= stop, "a box does not fit");
  return { kind: letters(head, 4), start, content, stop: start + size };
}

/** The boxes at the top of a file, of which all is read but their contents. */
export async function topBoxes(source) {
  const found = [];
  for (let start = 0; start < source.size; start = found.at(-1).stop) {
    sure(found.length < MAX_BOXES, "there are too many boxes");
    found.push(boxAt(await source.upTo(start, 16), start, source.size));
  }
  return found;
}

/** The boxes in `bytes` between two positions. QuickTime ends some lists with four zeros. */
export function boxesIn(bytes, start, stop) {
  const found = [];
  while (start < stop) {
    if (stop - start === 4 && uint(bytes, start, 4) === 0) break;
    const box = boxAt(bytes.subarray(start, Math.min(start + 16, stop)), start, stop);
    sure(bytes[start + 3] || bytes[start + 2] || bytes[start + 1] || bytes[start], "a box in another one has no size");
    found.push(box);
    start = box.stop;
  }
  return found;
}

/** Those inside of one. */
export const inside = (bytes, box) => boxesIn(bytes, box.content, box.stop);

/** The one of a kind inside of another box, or undefined. Throws Unsure where there are several. */
export function child(bytes, box, ...path) {
  for (const kind of path) {
    const found = box ? inside(bytes, box).filter((each) => each.kind === kind) : [];
    sure(found.length < 2, `there are several ${kind}`);
    box = found[0];
  }
  return box;
}

/** A box as bytes; `parts` are its content. */
export function boxOf(kind, ...parts) {
  const size = 8 + parts.reduce((sum, part) => sum + part.length, 0);
  return joined([uintBytes(size, 4), lettersBytes(kind), ...parts]);
}

/** The bytes of a box, which may be written to. */
export const copyOf = (bytes, box) => bytes.slice(box.start, box.stop);
