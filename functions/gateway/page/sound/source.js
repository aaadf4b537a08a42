/** A file on somebody's disk, read in windows: what is kept in memory does not grow with it. */

// Large enough that the disk is read at its own speed, small enough that a jump wastes little.
const WINDOW = 1024 * 1024;
const NOTHING = new Uint8Array(0);

/** What the other modules throw when a file had better be sent as it is. */
export class Unsure extends Error {}

/** Throws Unsure with a reason, for developers, unless `fact` holds. */
export function sure(fact, reason) {
  if (!fact) throw new Unsure(reason);
}

/**
 * Reads a Blob or File. `signal` ends it; `onProgress` gets how far it has been read, 0–1. What `bytes`, `exactly` and `upTo` give is only
 * to be read, and only until the next of them is called: its memory is used no longer then.
 */
export class Source {
  #blob;
  #signal;
  #onProgress;
  #window = NOTHING;
  #start = 0;

  constructor(blob, { signal, onProgress } = {}) {
    this.#blob = blob;
    this.#signal = signal;
    this.#onProgress = onProgress;
    this.size = blob.size;
  }

  /** Another reader of the same file, with a window of its own. */
  another() {
    return new Source(this.#blob);
  }

  /** The bytes from `start` on, exactly `length`. Throws Unsure past the end of the file. */
  bytes(start, length) {
    return this.#bytes(start, length, Math.max(length, WINDOW));
  }

  /** The same without reading ahead. */
  exactly(start, length) {
    return this.#bytes(start, length, length);
  }

  /** Up to `length` bytes: fewer at the end of the file. */
  upTo(start, length) {
    return this.bytes(start, Math.max(Math.min(length, this.size - start), 0));
  }

  /** Those bytes for whoever asks, to keep and to change. */
  own(start, length) {
    this.#check(start, length);
    return this.#read(start, length);
  }

  /** A part of the file, unread. Throws Unsure past its end. */
  slice(start, length) {
    this.#check(start, length);
    return this.#blob.slice(start, start + length);
  }

  #check(start, length) {
    sure(start >= 0 && start + length <= this.size, "it reaches beyond the end of the file");
  }

  async #bytes(start, length, ahead) {
    this.#check(start, length);
    if (start < this.#start || start + length > this.#start + this.#window.length) {
      await this.#move(start, Math.min(ahead, this.size - start));
    }
    return this.#window.subarray(start - this.#start, start - this.#start + length);
  }

  async #move(start, length) {
    this.#onProgress?.(start / this.size);
    const { buffer } = this.#window;
    this.#window = NOTHING; // until it is read: what is in it is lost even if that fails
    this.#window = await this.#read(start, length, buffer.byteLength >= length ? buffer : new ArrayBuffer(Math.max(length, WINDOW)));
    this.#start = start;
  }

  async #read(start, length, buffer = new ArrayBuffer(length)) {
    this.#signal?.throwIfAborted();
    const bytes = await filled(buffer, this.#blob.slice(start, start + length), length);
    sure(bytes.length === length, "the file has become shorter");
    return bytes;
  }
}

// A browser may collect a stream as garbage that is being read, if nobody refers to it but who waits for what is read (Chromium 156 does):
// that waits for ever then.
const reading = new Set();

/**
 * The first bytes of a Blob in this memory, which goes back and forth between us and the browser. With new memory for each, a browser
 * has hundreds of megabytes that it has not collected yet. Resolves to fewer bytes where it ends before.
 */
async function filled(buffer, blob, length) {
  const reader = readerOf(blob);
  if (!reader) return new Uint8Array(await blob.arrayBuffer());
  reading.add(reader);
  try {
    return await filledBy(reader, buffer, length);
  } finally {
    reading.delete(reader);
    reader.releaseLock();
  }
}

async function filledBy(reader, buffer, length) {
  let at = 0;
  for (let isOver = false; at < length && !isOver; ) {
    const { value, done } = await reader.read(new Uint8Array(buffer, at, length - at));
    isOver = done;
    buffer = value.buffer;
    at += value.length;
  }
  return new Uint8Array(buffer, 0, at);
}

// Not every browser reads blobs in this way.
function readerOf(blob) {
  try {
    return blob.stream().getReader({ mode: "byob" });
  } catch {
    return null;
  }
}
