/** The files on their way up: some at a time, the others wait for their turn. */

import { ACTIVE, At, Item } from "./item.js";
import { unfinished } from "./kept.js";

const AT_A_TIME = 3;
const OVER = new Set([At.DONE, At.CANCELLED]);

export class Queue {
  #items = [];
  #account;
  #onChange;
  #onDone;

  /** `account` is the id of whose files these are. `onChange(item)` is called for each change, `onDone(item)` when one is all there. */
  constructor({ account, onChange, onDone }) {
    this.#account = account;
    this.#onChange = onChange;
    this.#onDone = onDone;
  }

  /** Those that are not over, in the order in which they were chosen. */
  get items() {
    return [...this.#items];
  }

  /** Whether something would be lost if the page were left now. */
  get isBusy() {
    return this.#items.some(({ state }) => ACTIVE.has(state) || state === At.WAITING);
  }

  /** Takes a File in. `handle` is its FileSystemFileHandle, if there is one. Returns its Item. */
  add(file, { whole, options, handle }) {
    const item = this.#take({ id: newId(), account: this.#account, whole, options, handle, at: Date.now() }, file);
    this.#next();
    return item;
  }

  /** Shows what was left unfinished by earlier sittings. */
  async recall() {
    for (const record of await unfinished(this.#account)) this.#take(record, null).ask();
  }

  /** Sends it, when it is its turn, after it was paused, failed, or was given its file. */
  resume(item) {
    item.resume();
    this.#next();
  }

  /** Gives one that was left unfinished its file. Throws Problem if it is another one. */
  async choose(item, file) {
    await item.choose(file);
    this.#next();
  }

  pause(item) {
    item.pause();
    this.#next();
  }

  /** Ends it and deletes it on the server. Resolves once that is done. */
  async cancel(item) {
    const ended = item.cancel();
    this.#remove(item);
    this.#next();
    await ended;
  }

  /** What is left to be sent, of those that are under way or wait: {sent, total, speed, seconds}; figures that are not known are null. */
  summary() {
    const counted = this.#items.filter(({ state }) => ACTIVE.has(state) || state === At.WAITING || state === At.PAUSED);
    const total = counted.reduce((sum, { total: size, size: whole }) => sum + (size ?? whole), 0);
    const sent = counted.reduce((sum, item) => sum + item.sent, 0);
    const speed = counted.reduce((sum, { meter }) => sum + (meter.speed() ?? 0), 0) || null;
    return { count: counted.length, sent, total, speed, seconds: speed && (total - sent) / speed };
  }

  #take(record, file) {
    const item = new Item(record, file, this.#onChange);
    this.#items.push(item);
    this.#onChange(item);
    return item;
  }

  #remove(item) {
    this.#items = this.#items.filter((each) => each !== item);
    this.#onChange(item);
  }

  #next() {
    const free = AT_A_TIME - this.#items.filter(({ state }) => ACTIVE.has(state)).length;
    const waiting = this.#items.filter(({ state }) => state === At.WAITING);
    for (const item of waiting.slice(0, Math.max(free, 0))) this.#run(item);
  }

  async #run(item) {
    await item.run();
    if (item.state === At.DONE) this.#onDone(item);
    if (OVER.has(item.state)) this.#remove(item);
    this.#next();
  }
}

// Not crypto.randomUUID: over plain HTTP browsers offer that on localhost only.
const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("-");
