/**
 * What happens to the jobs, as it happens. All tabs of a browser share one stream, for a browser opens six connections to a
 * host at most: the tab that has the lock listens, and tells the others.
 */

import { ask } from "../core/api.js";
import { eventsOf } from "../core/sse.js";

const WAITS_MS = [500, 2000, 5000];
const STEADY_MS = 10_000; // a stream that lasted so long was a good one
const SILENT_MS = 40_000; // the server says something every 15 seconds
const DOUBT_MS = 5000; // some proxies hold streams back: then it is asked

export class Live {
  #told;
  #missed;
  #name;
  #channel;
  #last = "";
  #failures = 0;
  #listening = null; // AbortController of the stream
  #wake = () => {};

  /**
   * `account` tells the tabs of one account from others. `told({event, data})` gets each event, data parsed; `missed()` is called when
   * something may have been missed that the stream does not repeat.
   */
  constructor(account, told, missed) {
    this.#name = `audiolift.jobs.${account}`;
    this.#told = told;
    this.#missed = missed;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.addEventListener("message", ({ data }) => this.#take(data));
  }

  /** Listens, or waits for its turn to, as long as the page is there. */
  start() {
    addEventListener("online", () => this.#wake());
    document.addEventListener("visibilitychange", () => this.#onVisibility());
    // Browsers have locks only where the connection is safe: elsewhere each tab listens while it is seen.
    if (navigator.locks) navigator.locks.request(this.#name, () => this.#always());
    else this.#always();
  }

  /** Tells the other tabs of what was done here. */
  tell(message) {
    this.#channel.postMessage(message);
  }

  #take({ id, ...message }) {
    this.#last = id ?? this.#last;
    if (message.event) this.#told(message);
  }

  async #always() {
    for (;;) {
      if (!navigator.locks && document.hidden) await this.#rest(3_600_000);
      await this.#listen().catch(() => {});
      this.#missed();
      await this.#rest(WAITS_MS[Math.min(this.#failures++, WAITS_MS.length - 1)]);
    }
  }

  async #listen() {
    const listening = (this.#listening = new AbortController());
    const { signal } = listening;
    const begun = Date.now();
    const silence = new Silence(() => this.#missed(), () => listening.abort());
    const headers = { Accept: "text/event-stream", ...(this.#last && { "Last-Event-ID": this.#last }) };
    try {
      const answer = await ask("/v1/jobs/events", { headers, signal });
      const events = eventsOf(answer.body, () => silence.over());
      for await (const { event, data, id } of events) this.#pass({ event, data: JSON.parse(data), id });
    } finally {
      silence.end();
      if (Date.now() - begun > STEADY_MS) this.#failures = 0;
    }
  }

  #pass(message) {
    this.#take(message);
    this.#channel.postMessage(message);
  }

  #onVisibility() {
    if (!navigator.locks && document.hidden) return this.#listening?.abort();
    if (!document.hidden) this.#wake();
  }

  #rest(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => { clearTimeout(timer); resolve(); };
    });
  }
}

/** A stream that says nothing: `doubt` is called every now and then until it does, and `give` when it has fallen silent. */
class Silence {
  #doubt;
  #give;
  #timer;

  constructor(doubt, give) {
    this.#doubt = doubt;
    this.#give = give;
    this.#timer = setInterval(doubt, DOUBT_MS);
  }

  over() {
    clearInterval(this.#timer);
    this.#timer = setInterval(this.#give, SILENT_MS);
  }

  end() {
    clearInterval(this.#timer);
  }
}
