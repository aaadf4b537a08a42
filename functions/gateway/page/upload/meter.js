/** How fast something is sent, measured over the last seconds. */

const WINDOW_MS = 10_000;
const LEAST_MS = 1000; // before that nothing can be said

export class Meter {
  #samples = []; // [time, bytes in all]
  #sent = 0;

  /** So many bytes more have gone, at a time in ms. */
  add(bytes, now = performance.now()) {
    if (bytes <= 0) return;
    this.#sent += bytes;
    this.#samples.push([now, this.#sent]);
    this.#drop(now);
  }

  /** Bytes in a second, or null while it is not known. Without news it falls. */
  speed(now = performance.now()) {
    this.#drop(now);
    if (!this.#samples.length) return null;
    const [since, before] = this.#samples[0];
    return now - since < LEAST_MS ? null : ((this.#sent - before) * 1000) / (now - since);
  }

  /** Seconds for so many bytes, or null. */
  secondsFor(bytes, now = performance.now()) {
    const speed = this.speed(now);
    return speed ? bytes / speed : null;
  }

  #drop(now) {
    while (this.#samples.length && this.#samples[0][0] < now - WINDOW_MS) this.#samples.shift();
  }
}
