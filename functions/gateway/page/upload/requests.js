/** How tus-js-client makes its requests: those that bring bytes each in a worker of its own, which is ended with it. */

import { bring } from "./bring.js";
import "../vendor/tus.min.js";

const WORKER = new URL("./worker.js", import.meta.url);

/** An HttpStack of tus-js-client; what it sends is {size, parts}, the parts of a Blob. */
export class Requests {
  #plain = new globalThis.tus.DefaultHttpStack();

  createRequest(method, url) {
    return method === "PATCH" ? new Bringing(method, url) : this.#plain.createRequest(method, url);
  }

  getName() {
    return "Requests";
  }
}

/**
 * A request with bytes. These are in a Blob, and a browser keeps what is in a Blob until whoever made it collects garbage, for which such a
 * small object gives it no reason: all the sound of a file would stay in memory. But with a worker goes what it has made.
 */
class Bringing {
  #method;
  #url;
  #headers = {};
  #onProgress = () => {};
  #stop = () => {};

  constructor(method, url) {
    this.#method = method;
    this.#url = url;
  }

  getMethod() {
    return this.#method;
  }

  getURL() {
    return this.#url;
  }

  setHeader(name, value) {
    this.#headers[name] = value;
  }

  getHeader(name) {
    return this.#headers[name];
  }

  setProgressHandler(onProgress) {
    this.#onProgress = onProgress;
  }

  getUnderlyingObject() {
    return null;
  }

  /** Never settles once it is aborted. */
  send({ parts }) {
    const job = { method: this.#method, url: this.#url, headers: this.#headers, parts };
    return new Promise((resolve, reject) => {
      const onTold = (told) => {
        if (told.loaded !== undefined) return this.#onProgress(told.loaded);
        this.#stop();
        return told.failed ? reject(new Error("unanswered")) : resolve(new Answer(told));
      };
      this.#stop = inWorker(job, onTold, () => (this.#stop = here(job, onTold)));
    });
  }

  abort() {
    this.#stop();
    return Promise.resolve();
  }
}

/** Has a worker do it. `onUnable` is called where none can be started. Returns what ends it. */
function inWorker(job, onTold, onUnable) {
  const worker = new Worker(WORKER, { type: "module" });
  worker.addEventListener("error", onUnable);
  worker.addEventListener("message", ({ data }) => {
    if (!data.isReady) return onTold(data);
    worker.removeEventListener("error", onUnable);
    // Given away, not copied.
    return worker.postMessage(job, [...new Set(job.parts.map(({ buffer }) => buffer).filter(Boolean))]);
  });
  return () => worker.terminate();
}

function here(job, onTold) {
  const request = bring(job, onTold);
  return () => request.abort();
}

class Answer {
  #told;

  constructor(told) {
    this.#told = told;
  }

  getStatus() {
    return this.#told.status;
  }

  getHeader(name) {
    return this.#told.headers[name.toLowerCase()] ?? null;
  }

  getBody() {
    return this.#told.body;
  }

  getUnderlyingObject() {
    return null;
  }
}
