/** The runs of samples in a fragment (ISO/IEC 14496-12, 8.8.8). */

import { boxOf, copyOf } from "./boxes.js";
import { putUint, uint, viewOf } from "./bytes.js";
import { sure } from "./source.js";
import { STUB } from "./stubs.js";

const STUBS = 16;
// Flags: what a run says, and what it says of each sample.
const [OFFSET, FIRST_FLAGS, ...OF_SAMPLES] = [0x1, 0x4, 0x100, 0x200, 0x400, 0x800];
const [OF_DURATION, OF_SIZE] = OF_SAMPLES;

/**
 * A run: {bytes, place, ranges, duration}, where `place` in `bytes` is where it says where its samples lie. `usual` has the duration
 * and the size of samples that have none of their own. As stubs, it is its first samples, each with a size of its own.
 */
export function runOf(bytes, box, base, usual, isWhole) {
  const flags = uint(bytes, box.content + 1, 3);
  sure(flags & OFFSET, "where samples lie depends on others");
  const start = base + viewOf(bytes).getInt32(box.content + 8);
  const count = uint(bytes, box.content + 4, 4);
  const first = box.content + 12 + (flags & FIRST_FLAGS ? 4 : 0);
  const width = OF_SAMPLES.reduce((sum, flag) => sum + (flags & flag ? 4 : 0), 0);
  sure(first + count * width <= box.stop, "a run is cut off");
  const before = flags & OF_DURATION ? 4 : 0;
  const sizeOf = (number) => (flags & OF_SIZE ? uint(bytes, first + number * width + before, 4) : usual.size);
  const sizes = Array.from({ length: count }, (_, number) => sizeOf(number));
  if (!isWhole) return stubRun(bytes, box, { flags, start, first, width, before, sizes });
  const length = sizes.reduce((sum, each) => sum + each, 0);
  const duration = before ? sizes.reduce((sum, _, number) => sum + uint(bytes, first + number * width, 4), 0) : count * usual.duration;
  return { bytes: copyOf(bytes, box), place: box.content - box.start + 8, ranges: length ? [[start, length]] : [], duration };
}

function stubRun(bytes, box, { flags, start, first, width, before, sizes }) {
  const count = Math.min(sizes.length, STUBS);
  const head = bytes.slice(box.content, first);
  putUint(head, 1, 3, flags | OF_SIZE);
  putUint(head, 4, 4, count);
  const [samples, ranges] = [[], []];
  for (let number = 0, at = start; number < count; at += sizes[number++]) {
    const row = bytes.slice(first + number * width, first + (number + 1) * width);
    const length = Math.min(sizes[number], STUB);
    const own = new Uint8Array(4);
    putUint(own, 0, 4, length);
    samples.push(row.subarray(0, before), own, row.subarray(before + (flags & OF_SIZE ? 4 : 0)));
    if (length) ranges.push([at, length]);
  }
  return { bytes: boxOf("trun", head, ...samples), place: 16, ranges };
}
