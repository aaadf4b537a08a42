/** Sends what a file has to be sent of, through whatever happens to the connection in between. */

import { ask, askJson } from "../core/api.js";
import { isAway, Problem } from "../core/problem.js";
import { renew } from "../core/session.js";

const WAITS_S = [1, 2, 4, 8, 15, 30];
// Answers after which the same goes well later: another request has the upload, too many requests, no room, a server in trouble.
const LATER = [408, 409, 423, 429, 500, 502, 503, 504, 507];
const GONE = [404, 410];

/**
 * Sends, and resolves to the upload's URL once all is there. Tries again by itself as long as that can help. `onUrl(url)` says where
 * it is, null if it begins anew; `onSent(bytes, isBase)` see attempt.js; `onWait(problem)` why nothing moves now, null once it
 * does. `isResumed` says that it was begun in an earlier sitting. Throws Problem, or the reason of `signal`.
 */
export async function send(contents, { url, metadata, isResumed, onUrl, onSent, onWait, signal }) {
  const { attempt } = await import("./attempt.js");
  const waits = new Waits();
  const onProgress = (bytes, isBase) => {
    if (!isBase) [isResumed, waits.tries] = [false, 0];
    onWait(null);
    onSent(bytes, isBase);
  };
  const begin = (to) => onUrl((url = to));
  for (;;) {
    signal.throwIfAborted();
    try {
      await attempt(contents, { url, metadata, onUrl: begin, onSent: onProgress, signal });
      return url;
    } catch (problem) {
      signal.throwIfAborted();
      if (url && GONE.includes(problem.status)) await startAnew(problem);
      else await waits.after(problem, onWait, signal);
    }
  }

  // What was begun long ago has expired. What was there a moment ago was deleted or cancelled by its owner, elsewhere.
  async function startAnew(problem) {
    if (!isResumed) throw new Problem(problem.status, "upload-gone");
    isResumed = false;
    begin(null);
  }
}

/** What there is to wait for after a failure. */
class Waits {
  tries = 0;
  #renewed = false;

  /** Resolves once it is time to try again. Throws what trying again does not mend. */
  async after(problem, onWait, signal) {
    if (problem.status === 401 && !this.#renewed) return this.#renew();
    if (problem.code === "wrong-state" || !(isAway(problem) || LATER.includes(problem.status))) throw problem;
    onWait(problem);
    const seconds = WAITS_S[Math.min(this.tries++, WAITS_S.length - 1)];
    await slept(Math.max(problem.retryAfter ?? 0, seconds), signal);
    this.#renewed = false;
  }

  async #renew() {
    this.#renewed = true;
    await renew();
  }
}

// Until then, or until the browser says that the network is back.
function slept(seconds, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => end(() => reject(signal.reason));
    const wake = () => end(resolve);
    const timer = setTimeout(wake, seconds * 1000);
    const end = (settle) => {
      clearTimeout(timer);
      removeEventListener("online", wake);
      signal.removeEventListener("abort", abort);
      settle();
    };
    addEventListener("online", wake);
    signal.addEventListener("abort", abort);
  });
}

const TUS = { "Tus-Resumable": "1.0.0" };

/** Deletes an upload with what has arrived of it. What is gone already is no problem; what cannot be told expires. */
export async function giveUp(url) {
  if (url) await askJson(url, { method: "DELETE", headers: TUS }).catch(() => {});
}

/** How many bytes of an upload have arrived; 0 if that cannot be known now. */
export async function arrived(url) {
  const answer = url && (await ask(url, { method: "HEAD", headers: TUS }).catch(() => null));
  return Number(answer?.headers.get("Upload-Offset") ?? 0);
}

/** The job that an upload is, by its URL. */
export const jobOf = (url) => url.slice(url.lastIndexOf("/") + 1);
