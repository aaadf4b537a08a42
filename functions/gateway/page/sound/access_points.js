/** The indexes of an MP4 in fragments, which say where these lie; `moved` gives the new place of one. */

import { inside } from "./boxes.js";
import { putUint, uint } from "./bytes.js";
import { sure } from "./source.js";

/** An index of segments (8.16.3): each entry says how many bytes it stands for. */
export function putSegments(bytes, box, moved) {
  const content = box.content - box.start;
  const wide = bytes[content] ? 8 : 4;
  const offset = uint(bytes, content + 12 + wide, wide);
  const count = uint(bytes, content + 12 + 2 * wide + 2, 2);
  let old = box.stop + offset;
  sure(content + 16 + 2 * wide + count * 12 <= bytes.length, "an index is cut off");
  putUint(bytes, content + 12 + wide, wide, moved(old) - moved(box.stop));
  for (let number = 0; number < count; number++) {
    const at = content + 16 + 2 * wide + number * 12;
    const [value, next] = [uint(bytes, at, 4), old + (uint(bytes, at, 4) & 0x7fffffff)];
    const size = moved(next) - moved(old);
    sure(size < 2 ** 31, "a segment is too large");
    putUint(bytes, at, 4, value >= 2 ** 31 ? size + 2 ** 31 : size);
    old = next;
  }
}

/** The index of random access points (8.8.9): where the fragment of each lies. */
export function putAccessPoints(bytes, moved) {
  for (const box of inside(bytes, { content: 8, stop: bytes.length })) {
    if (box.kind !== "tfra") continue;
    const wide = bytes[box.content] === 1 ? 8 : 4;
    const lengths = bytes[box.content + 11];
    const numbers = ((lengths >> 4) & 3) + ((lengths >> 2) & 3) + (lengths & 3) + 3;
    const count = uint(bytes, box.content + 12, 4);
    sure(box.content + 16 + count * (2 * wide + numbers) <= box.stop, "an index is cut off");
    for (let number = 0; number < count; number++) {
      const at = box.content + 16 + number * (2 * wide + numbers) + wide;
      putUint(bytes, at, wide, moved(uint(bytes, at, wide)));
    }
  }
}
