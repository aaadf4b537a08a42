/** One file on its way up: where it is, and what can be done with it. What it looks like is for row.js. */

import { contentsOf, checkKind } from "./contents.js";
import { forget, keep } from "./kept.js";
import { limit } from "./limits.js";
import { isKnown, known } from "./marks.js";
import { Meter } from "./meter.js";
import { arrived, giveUp, jobOf, send } from "./send.js";
import { Problem } from "../core/problem.js";

/** Where an upload is. In the first four it is the queue's; `LOST` has no file any more and waits for it to be chosen again. */
export const At = Object.freeze({
  WAITING: "waiting",
  READING: "reading",
  SENDING: "sending",
  STALLED: "stalled",
  PAUSED: "paused",
  LOST: "lost",
  FAILED: "failed",
  DONE: "done",
  CANCELLED: "cancelled",
});
export const ACTIVE = new Set([At.READING, At.SENDING, At.STALLED]);

const [PAUSE, CANCEL] = [new DOMException("paused", "AbortError"), new DOMException("cancelled", "AbortError")];

export class Item {
  state = At.WAITING;
  url = null;
  sent = 0;
  read = 0; // how far the file has been looked through, 0–1
  contents = null;
  problem = null; // why it failed, or what it waits for
  meter = new Meter();
  #onChange;
  #file;
  #record;
  #stopping = new AbortController();
  #running = Promise.resolve();

  /** `record` is what is kept of it (kept.js), and has a `url` if it was begun before. `onChange(item)` is called whenever it changes. */
  constructor(record, file, onChange) {
    this.#record = record;
    this.#file = file;
    this.#onChange = onChange;
    this.url = record.url ?? null;
    if (!file) this.state = At.LOST;
  }

  get id() {
    return this.#record.id;
  }

  get name() {
    return this.#file?.name ?? this.#record.file.name;
  }

  get size() {
    return this.#file?.size ?? this.#record.file.size;
  }

  /** How many bytes are to be sent in all; null until that is known. */
  get total() {
    return this.contents?.size ?? this.#record.sent?.size ?? null;
  }

  get options() {
    return this.#record.options;
  }

  /** The id of its job, once the server knows of it. */
  get job() {
    return this.url && jobOf(this.url);
  }

  /** The handle by which its file can be had again without a question which one, or undefined. */
  get handle() {
    return this.#record.handle;
  }

  /** Asks how much of what was left unfinished is there. */
  async ask() {
    this.sent = await arrived(this.url);
    this.#onChange(this);
  }

  /** Sends it; resolves once it is all there, has failed, or was paused or cancelled. Never throws. */
  run() {
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    this.#become(At.READING);
    // What was paused a moment ago may still be ending.
    this.#running = this.#running.then(() => this.#run(signal)).catch((problem) => this.#end(problem));
    return this.#running;
  }

  /** Stops for now. What has arrived stays. */
  pause() {
    this.#stopping.abort(PAUSE);
    this.#become(At.PAUSED);
  }

  /** Puts it back into the queue. */
  resume() {
    this.problem = null;
    this.#become(At.WAITING);
  }

  /** Goes on with this file, if it is the one that was begun with. Throws Problem if it is another one. */
  async choose(file) {
    if (!(await isKnown(file, this.#record.file, await contentsOf(file, { whole: true })))) {
      throw new Problem(400, "not-that-file");
    }
    this.#file = file;
    this.resume();
  }

  /** Ends it; the server is told to delete what it has. Resolves once it has been told. */
  async cancel() {
    this.#stopping.abort(CANCEL);
    this.#become(At.CANCELLED);
    await this.#running;
    await Promise.all([forget(this.id), giveUp(this.url)]);
  }

  async #run(signal) {
    signal.throwIfAborted();
    this.contents ??= await this.#look(signal);
    this.#become(At.SENDING);
    await send(this.contents, {
      url: this.url,
      metadata: { filename: this.name, ...texts(this.options) },
      isResumed: Boolean(this.url),
      onUrl: (url) => this.#begun(url),
      onSent: (bytes, isBase) => this.#moved(bytes, isBase),
      onWait: (problem) => this.#waits(problem),
      signal,
    });
    await forget(this.id);
    this.#become(At.DONE);
  }

  /** What is sent of the file. Throws Problem where that is nothing the server takes. */
  async #look(signal) {
    await checkKind(this.#file);
    const onProgress = (share) => this.#reads(share);
    const contents = await contentsOf(this.#file, { whole: this.#record.whole, signal, onProgress });
    const most = await limit();
    if (contents.size > most) throw Object.assign(new Problem(400, "file-too-large"), { values: { size: contents.size, most } });
    await this.#remember(contents);
    signal.throwIfAborted();
    return contents;
  }

  /** Keeps what a later sitting needs. What was begun with other bytes, by an older release of this page, begins anew. */
  async #remember(contents) {
    try {
      const sent = { size: contents.size, marks: (await known(this.#file, contents)).marks };
      const before = this.#record.sent;
      if (this.url && (before.size !== sent.size || before.marks !== sent.marks)) await this.#startAnew();
      const whole = await contentsOf(this.#file, { whole: true });
      this.#record = { ...this.#record, file: await known(this.#file, whole), sent };
    } catch {
      throw new Problem(400, "file-unreadable");
    }
    await keep(this.#record);
  }

  async #startAnew() {
    await giveUp(this.url);
    this.#begun(null);
  }

  #begun(url) {
    this.url = url;
    this.#record = { ...this.#record, url };
    keep(this.#record);
    this.#onChange(this);
  }

  #moved(bytes, isBase) {
    if (!isBase) this.meter.add(bytes - this.sent);
    this.sent = bytes;
    this.#onChange(this);
  }

  #reads(share) {
    this.read = share;
    this.#onChange(this);
  }

  #waits(problem) {
    if ((this.state === At.STALLED) === Boolean(problem) && this.problem === problem) return;
    this.problem = problem;
    this.#become(problem ? At.STALLED : At.SENDING);
  }

  #end(problem) {
    if (problem === PAUSE || problem === CANCEL) return;
    this.problem = problem;
    if (problem.code === "file-unreadable") this.contents = null;
    this.#become(At.FAILED);
  }

  #become(state) {
    if (this.state === At.CANCELLED) return;
    this.state = state;
    this.#onChange(this);
  }
}

// Upload-Metadata has texts only.
const texts = (options) => Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)]));
