/** What is sent of a file: all of it, or its sound. Either way the same bytes each time, of which any part can be read. */

import { Problem } from "../core/problem.js";

/** A file as it is, as {size, read(start, stop)}: `read` resolves to parts of a Blob. */
export class Whole {
  isSound = false;
  #file;

  constructor(file) {
    this.#file = file;
    this.size = file.size;
  }

  read(start, stop) {
    return Promise.resolve([this.#file.slice(start, stop)]);
  }
}

/** What is in parts of a Blob, one after the other, as a Uint8Array. Without a Blob of them, which would stay in the browser's memory. */
export async function bytesOf(parts) {
  const found = await Promise.all(parts.map(async (part) => (part instanceof Blob ? new Uint8Array(await part.arrayBuffer()) : part)));
  const all = new Uint8Array(found.reduce((size, { length }) => size + length, 0));
  found.reduce((at, bytes) => (all.set(bytes, at), at + bytes.length), 0);
  return all;
}

/**
 * What to send of a file, unless `whole` the sound alone where the MP3 is the same. `onProgress` gets 0–1 while the file is looked
 * through. Throws an AbortError once `signal` is aborted.
 */
export async function contentsOf(file, { whole, signal, onProgress }) {
  const sound = whole ? null : await soundOf(file, { signal, onProgress });
  return sound ?? new Whole(file);
}

// What does it is loaded when it is needed, not with the page. If that fails, all of the file is sent.
async function soundOf(file, options) {
  try {
    const { soundOf: taken } = await import("../sound/extract.js");
    return await taken(file, options);
  } catch {
    options.signal.throwIfAborted();
    return null;
  }
}

const picture = () => new Problem(400, "file-picture");
const document = () => new Problem(400, "file-document");
const archive = () => new Problem(400, "file-archive");
// What is certainly no video or audio, by how it begins, at which byte.
const OTHERS = [
  [picture, 0, "\x89PNG"],
  [picture, 0, "\xff\xd8\xff"],
  [picture, 0, "GIF8"],
  [picture, 8, "WEBP"],
  [picture, 4, "ftypheic"],
  [picture, 4, "ftypavif"],
  [document, 0, "%PDF"],
  [archive, 0, "PK\x03\x04"],
  [archive, 0, "7z\xbc\xaf\x27\x1c"],
  [archive, 0, "Rar!"],
];

/** Throws a Problem for a file that cannot be read, is empty, or is certainly no video or audio. */
export async function checkKind(file) {
  if (!file.size) throw new Problem(400, "file-empty");
  const head = await file.slice(0, 16).arrayBuffer().catch(() => null);
  if (!head) throw new Problem(400, "file-unreadable");
  const text = String.fromCharCode(...new Uint8Array(head));
  const other = OTHERS.find(([, at, begins]) => text.startsWith(begins, at));
  if (other) throw other[0]();
}
