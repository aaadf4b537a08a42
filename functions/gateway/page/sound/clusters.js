/** The clusters of a Matroska: each holds blocks of all tracks for some seconds (RFC 9559, 5.1.3 and 10). */

import { joined, viewOf } from "./bytes.js";
import { header, headerOf, LONGEST_HEADER, numberAt } from "./ebml.js";
import { sure } from "./source.js";

export const CLUSTER = 0x1f43b675;
const [TIMESTAMP, POSITION, PREVIOUS, SIMPLE, GROUP, BLOCK] = [0xe7, 0xa7, 0xab, 0xa3, 0xa0, 0xa1];
const [VOID, CRC] = [0xec, 0xbf];
const TOP = [0x114d9b74, 0x1549a966, 0x1654ae6b, CLUSTER, 0x1c53bb6b, 0x1941a469, 0x1043a770, 0x1254c367];
// What stays of a picture; of how many pictures of a track at its beginning.
const [STUB, STUBS] = [32, 8];
const LACING = 0x06;

/**
 * Goes through one cluster. Calls `keep(start, stop)` for what stays as it is, in order, `put(bytes)` for stubs,
 * and `onBlock(track, time, element)` for each block, if it is there. Resolves to where the cluster ends.
 *
 * `content` and `stop` (null if not known) are the cluster's; `sounds` are the numbers of the tracks that stay, `others`
 * those of the rest; `stubs` counts the blocks of each of the latter, and is changed.
 */
export async function throughCluster(source, { content, stop }, { sounds, others, stubs }, { keep, put, onBlock }) {
  const latest = new Map(); // the newest picture of each track, which is put at the end
  let [at, time] = [content, 0];
  for (const end = stop ?? source.size; at < end; ) {
    const { id, header: width, size } = headerOf(await source.upTo(at, Math.min(LONGEST_HEADER, end - at)));
    if (stop === null && TOP.includes(id)) break;
    const element = { id, start: at, content: at + width, stop: at + width + (size ?? 0) };
    sure(size !== null && element.stop <= end, "an element of a cluster does not fit");
    at = element.stop;
    if (id === TIMESTAMP) {
      time = await number(source, element);
      keep(element.start, element.stop);
    } else if (id === SIMPLE || id === GROUP) {
      await block(element);
    } else {
      sure([POSITION, PREVIOUS, VOID, CRC].includes(id), "a cluster has an unknown part");
    }
  }
  for (const each of latest.values()) put(each);
  return at;

  async function block(element) {
    const found = await blockIn(source, element);
    onBlock?.(found.track, time + found.time, element);
    if (sounds.has(found.track)) return keep(element.start, element.stop);
    sure(others.has(found.track), "a block is of no track");
    const count = stubs.get(found.track) ?? 0;
    stubs.set(found.track, count + 1);
    if (count < STUBS) put(await stub(source, found));
    else latest.set(found.track, await stub(source, found));
  }
}

async function number(source, { content, stop }) {
  sure(stop - content <= 8, "a number is too long");
  return [...(await source.bytes(content, stop - content))].reduce((value, digit) => value * 256 + digit, 0);
}

/** The block in an element of a cluster: {track, time, start, content, stop, width}; `time` counts from the cluster's. */
async function blockIn(source, element) {
  const at = element.id === SIMPLE ? element : await blockOfGroup(source, element);
  sure(at.stop - at.content >= 4, "a block is cut off");
  const head = await source.bytes(at.content, Math.min(at.stop - at.content, LONGEST_HEADER));
  const { value, width } = numberAt(head, 0);
  sure(width + 3 <= head.length, "a block is cut off");
  return { ...at, track: value, width, time: viewOf(head).getInt16(width) };
}

async function blockOfGroup(source, group) {
  for (let at = group.content; at < group.stop; ) {
    const { id, header: width, size } = headerOf(await source.bytes(at, Math.min(LONGEST_HEADER, group.stop - at)));
    sure(size !== null && at + width + size <= group.stop, "a group does not fit");
    if (id === BLOCK) return { id: SIMPLE, start: at, content: at + width, stop: at + width + size };
    at += width + size;
  }
  return sure(false, "a group has no block");
}

/** A short block in place of a long one: the same track and time, and the first bytes of the picture. */
async function stub(source, { content, stop, width }) {
  const bytes = (await source.bytes(content, Math.min(stop - content, width + 3 + STUB))).slice();
  bytes[width + 2] &= ~LACING;
  return joined([header(SIMPLE, bytes.length), bytes]);
}
