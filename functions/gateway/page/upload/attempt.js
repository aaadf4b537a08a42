/** One try to send what is left of an upload, by tus-js-client: until all is there, it fails, or nothing moves any more. */

import { authorization } from "../core/session.js";
import { Problem, problemOf, unreachable } from "../core/problem.js";
import { Requests } from "./requests.js";
import "../vendor/tus.min.js";

const ENDPOINT = "/v1/uploads";
const MB = 1024 * 1024;
// Of a file one request brings so much; it may take half a minute. What of sound is read before it is sent is in memory.
const [SOUND_CHUNK, FIRST_CHUNK, LEAST_CHUNK, MOST_CHUNK, CHUNK_SECONDS] = [8 * MB, 16 * MB, 8 * MB, 64 * MB, 30];
// So long nothing may be sent; so long the server may take for its answer once all of a request is with it.
const [STALLED_MS, ANSWERED_MS] = [10_000, 60_000];
const LOOK_MS = 1000;

/** What is thrown when nothing moves: as if the server did not answer. */
export class Stalled extends Problem {
  constructor() {
    super(0, "stalled");
  }
}

/**
 * Sends. `contents` is {size, read, isSound}; `url` where the upload is, or null to begin one with `metadata`. Calls `onUrl(url)` once it
 * is begun, and `onSent(bytes, isBase)`: so much is there, of which nothing is new if `isBase`. Throws Problem, which has
 * `retryAfter` in seconds where the server says so, or the reason of `signal`.
 */
export function attempt(contents, { url, metadata, onUrl, onSent, signal }) {
  return new Promise((resolve, reject) => {
    const watch = new Watch(() => end(new Stalled()));
    const source = new Reader(contents, (isReading) => watch.moved(isReading ? Infinity : ANSWERED_MS));
    const upload = new globalThis.tus.Upload(source, {
      endpoint: url ? undefined : new URL(ENDPOINT, location.href).href,
      uploadUrl: url ? new URL(url, location.href).href : null,
      metadata,
      chunkSize: contents.isSound ? SOUND_CHUNK : FIRST_CHUNK,
      retryDelays: null,
      storeFingerprintForResuming: false,
      httpStack: new Requests(),
      fileReader: { openFile: () => Promise.resolve(source) },
      onBeforeRequest: async (request) => request.setHeader("Authorization", await authorization()),
      onUploadUrlAvailable: () => begun(),
      onProgress: (sent) => moved(sent),
      onChunkComplete: (size) => fit(size),
      onSuccess: () => settle(resolve),
      onError: (error) => settle(reject, source.failure ?? problemFrom(error)),
    });
    let [base, since] = [null, performance.now()];

    function begun() {
      onUrl(new URL(upload.url).pathname);
      // Given up while it began: now it is known what to delete.
      if (signal.aborted) end(signal.reason);
    }

    function moved(sent) {
      watch.moved(sent >= contents.size || source.isAtEnd(sent) ? ANSWERED_MS : STALLED_MS);
      onSent(sent, base === null);
      base = sent;
    }

    function fit(size) {
      const seconds = (performance.now() - since) / 1000;
      since = performance.now();
      if (contents.isSound) return;
      upload.options.chunkSize = Math.min(Math.max((size / seconds) * CHUNK_SECONDS, LEAST_CHUNK), MOST_CHUNK);
    }

    function onAbort() {
      if (upload.url || url) end(signal.reason);
    }

    function end(reason) {
      upload.abort().catch(() => {});
      settle(reject, reason);
    }

    function settle(how, value) {
      watch.end();
      signal.removeEventListener("abort", onAbort);
      how(value);
    }

    signal.addEventListener("abort", onAbort);
    watch.moved(ANSWERED_MS);
    upload.start();
  });
}

/** Calls `onStill` once nothing has moved for as long as it was told. A device that slept is noticed when it wakes. */
class Watch {
  #until = Infinity;
  #timer;

  constructor(onStill) {
    this.#timer = setInterval(() => {
      if (performance.now() > this.#until) onStill();
    }, LOOK_MS);
  }

  moved(patience) {
    this.#until = performance.now() + patience;
  }

  end() {
    clearInterval(this.#timer);
  }
}

/** What tus-js-client reads from. What comes next is read while the part before is being sent. */
class Reader {
  failure = null;
  #contents;
  #onRead;
  #next = { start: -1 };
  #end = 0;

  /** `onRead` gets whether it reads, which may take long on a slow disk. */
  constructor(contents, onRead) {
    this.#contents = contents;
    this.#onRead = onRead;
    this.size = contents.size;
  }

  async slice(start, stop) {
    this.#onRead(true);
    const parts = await (this.#isNext(start, stop) ? this.#next.parts : this.#read(start, stop));
    this.#onRead(false);
    this.#end = stop;
    this.#readAhead(stop, Math.min(stop + stop - start, this.size));
    return { value: { size: stop - start, parts }, done: stop >= this.size };
  }

  /** Whether all of the part is with the browser that was asked for last. */
  isAtEnd(sent) {
    return sent >= this.#end;
  }

  #isNext(start, stop) {
    return this.#next.parts && this.#next.start === start && this.#next.stop === stop;
  }

  #readAhead(start, stop) {
    this.#next = { start, stop, parts: null };
    if (!this.#contents.isSound || start >= stop) return;
    this.#next.parts = this.#read(start, stop);
    this.#next.parts.catch(() => {}); // it is noticed when it is asked for
  }

  async #read(start, stop) {
    try {
      return await this.#contents.read(start, stop);
    } catch {
      this.failure = new Problem(400, "file-unreadable");
      throw this.failure;
    }
  }

  close() {}
}

function problemFrom(error) {
  if (error.causingError instanceof Problem) return error.causingError;
  const response = error.originalResponse;
  if (!response?.getStatus()) return unreachable();
  const problem = problemOf(response.getStatus(), response.getBody());
  problem.retryAfter = Number(response.getHeader("Retry-After")) || null;
  return problem;
}
