/** Keeps the jobs on the page up to date: the oldest active ones by live streams, all others by asking now and then. */

import { ask, askJson, local } from "../core/api.js";
import { isActive } from "../core/format.js";
import { eventsOf } from "../core/sse.js";

const STREAMS = 2; // a browser opens six connections to one host; uploads, audio and other tabs need some
const PERIOD_MS = 2000;
const DOUBT = 5; // every so many periods streamed jobs are asked for too: some proxies hold streams back

export class Watch {
  #known; // () => the jobs on the page
  #onJob; // (job) => void
  #onGone; // (id) => void
  #streams = new Map(); // job id → AbortController
  #timer = null;
  #periods = 0;

  constructor({ known, onJob, onGone }) {
    this.#known = known;
    this.#onJob = onJob;
    this.#onGone = onGone;
    document.addEventListener("visibilitychange", () => this.#timer && this.#tick());
  }

  /** Looks now, and from now on. */
  start() {
    this.#timer ??= setInterval(() => this.#tick(), PERIOD_MS);
    this.#tick();
  }

  // Runs on a timer: what failed is simply tried again, and a session that is over shows itself.
  #tick() {
    const active = this.#known().filter(isActive);
    const streamed = document.hidden ? [] : active.slice(-STREAMS);
    this.#closeAllBut(streamed);
    for (const job of streamed) if (!this.#streams.has(job.id)) this.#follow(job);
    this.#periods += 1;
    if (active.length > streamed.length || (active.length && this.#periods % DOUBT === 0)) this.#poll().catch(() => {});
  }

  #closeAllBut(jobs) {
    const ids = new Set(jobs.map((job) => job.id));
    for (const [id, stream] of this.#streams) if (!ids.has(id)) stream.abort();
  }

  async #follow(job) {
    const stream = new AbortController();
    this.#streams.set(job.id, stream);
    try {
      await this.#listen(job, stream.signal);
    } catch (error) {
      if (error.status === 404) this.#onGone(job.id);
      else if (!stream.signal.aborted) await this.#look(job).catch(() => {});
    } finally {
      this.#streams.delete(job.id);
    }
  }

  async #listen(job, signal) {
    const answer = await ask(local(job.links.events), { headers: { Accept: "text/event-stream" }, signal });
    for await (const { event, data } of eventsOf(answer.body)) if (event === "job") this.#onJob(JSON.parse(data));
  }

  async #look(job) {
    this.#onJob(await askJson(local(job.links.self)));
  }

  async #poll() {
    const { items } = await askJson("/v1/jobs?limit=100");
    items.forEach(this.#onJob);
  }
}
