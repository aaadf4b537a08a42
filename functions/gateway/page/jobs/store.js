/** The jobs that are loaded, newest first: what the server finds by a filter, a page at a time, and what happened since. */

import { askJson } from "../core/api.js";
import { isActive } from "../core/format.js";
import { Pages } from "../core/pages.js";
import { State } from "../core/states.js";

const PAGE = 100;
const AT_ONCE = 20; // so many rows are made before somebody who scrolls has a turn

/** What one can look for, by the states that it means; none means all. */
export const FILTERS = {
  all: [],
  working: [State.RECEIVING, State.QUEUED, State.CONVERTING],
  done: [State.DONE],
  over: [State.FAILED, State.CANCELLED, State.EXPIRED],
};

export class Store {
  #jobs = new Map();
  #order = []; // newest first
  #pages = new Pages();
  #filter = { q: "", show: "all" };
  #listener;
  #more = null;

  /**
   * `listener` has placed(job, next), where `next` is the job before which it stands, or undefined; changed(job, before);
   * dropped(job); cleared(); and isElsewhere(job): whether the page shows it in another place.
   */
  constructor(listener) {
    this.#listener = listener;
  }

  get size() {
    return this.#order.length;
  }

  /** Whether there is nothing more to load. */
  get isWhole() {
    return this.#pages.isWhole;
  }

  get filter() {
    return this.#filter;
  }

  /** The jobs that are loaded, newest first. */
  get jobs() {
    return [...this.#order];
  }

  get(id) {
    return this.#jobs.get(id);
  }

  /** Loads the newest jobs that `filter`, {q, show}, finds, instead of those that were there. The last one who asks gets them. */
  async open(filter = this.#filter) {
    const items = await this.#pages.first((cursor) => askJson(url(filter, cursor)));
    if (!items) return;
    this.#jobs.clear();
    this.#order = [];
    this.#filter = filter;
    this.#listener.cleared();
    items.forEach((job) => this.#place(job));
  }

  /** Loads the next page, if there is one; once at a time. */
  more() {
    this.#more ??= this.#next().finally(() => (this.#more = null));
    return this.#more;
  }

  async #next() {
    const items = (await this.#pages.next()) ?? [];
    const order = this.#order;
    for (const [at, job] of items.entries()) {
      if (at && at % AT_ONCE === 0) await pause();
      if (this.#order !== order) return; // something else was looked for meanwhile
      if (this.#jobs.has(job.id)) this.take(job);
      else this.#place(job);
    }
  }

  /** Loads all pages. */
  async whole() {
    while (!this.isWhole) await this.more();
  }

  /** Takes a job as it is now: changes it, or places it if it is one that is looked for. */
  take(job) {
    const before = this.#jobs.get(job.id);
    if (!before) return this.#isWanted(job) && this.#place(job);
    if (job.updated_at < before.updated_at) return;
    this.#jobs.set(job.id, job);
    this.#order[this.#placeOf(before)] = job;
    this.#listener.changed(job, before);
  }

  /** A job is gone. */
  drop(id) {
    const job = this.#jobs.get(id);
    if (!job) return;
    this.#order.splice(this.#placeOf(job), 1);
    this.#jobs.delete(id);
    this.#listener.dropped(job);
  }

  /** Asks for the newest page, for what was missed: what is not in it any more is gone. */
  async check() {
    const answer = await this.#pages.beside(askJson(url({ ...this.#filter, show: "all" }, null)));
    if (!answer) return;
    const { items, next_cursor } = answer;
    const there = new Set(items.map(({ id }) => id));
    const last = items.at(-1);
    const gone = this.#order.filter((job) => !there.has(job.id) && (next_cursor === null || !isBefore(last, job)));
    gone.forEach(({ id }) => this.drop(id));
    items.forEach((job) => this.take(job));
  }

  // What is older than all that is loaded comes with its page.
  #isWanted(job) {
    const states = FILTERS[this.#filter.show];
    if (states.length && !(states.includes(job.state) || (this.#filter.show === "working" && isActive(job)))) return false;
    if (!job.filename.toLowerCase().includes(this.#filter.q.toLowerCase())) return false;
    return this.isWhole || !this.#order.length || isBefore(job, this.#order.at(-1));
  }

  #place(job) {
    if (this.#listener.isElsewhere(job)) return;
    const at = this.#placeOf(job);
    this.#jobs.set(job.id, job);
    this.#order.splice(at, 0, job);
    this.#listener.placed(job, this.#order[at + 1]);
  }

  // The first place whose job is not newer, by halving.
  #placeOf(job) {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.#order[middle], job)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

// As the server has them: by their beginning, then by their id.
function isBefore(one, other) {
  if (one.created_at !== other.created_at) return one.created_at > other.created_at;
  return one.id > other.id;
}

const pause = () => new Promise((go) => setTimeout(go));

function url({ q, show }, cursor) {
  const asked = new URLSearchParams({ limit: PAGE });
  if (q) asked.set("q", q);
  if (FILTERS[show].length) asked.set("state", FILTERS[show].join());
  if (cursor) asked.set("cursor", cursor);
  return `/v1/jobs?${asked}`;
}
