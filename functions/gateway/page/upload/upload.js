/** Sends files, one after the other, each as the raw body of POST /v1/jobs. */

import { problemOf, Problem } from "../core/problem.js";
import { authorization, renew } from "../core/session.js";

let last = Promise.resolve();

/**
 * Queues a file. When its turn comes, `reduce` is asked for the Blob to send of it, which may be the file itself; `onProgress` gets
 * 0–1 while that is sent. Resolves to the job that the server made of it. Throws Problem, or an AbortError once `signal` is
 * aborted. `key` makes sending the same again safe.
 */
export function upload(file, { reduce, key, onProgress, signal }) {
  const turn = last.then(async () => {
    signal.throwIfAborted();
    const body = await reduce(file);
    return sendAuthorized(body, { name: file.name, type: file.type, key, onProgress, signal });
  });
  last = turn.catch(() => {});
  return turn;
}

async function sendAuthorized(body, options) {
  options.signal.throwIfAborted();
  try {
    return await send(body, options, await authorization());
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    await renew();
    return send(body, options, await authorization());
  }
}

// XMLHttpRequest, because fetch does not tell how much of a body has been sent.
function send(body, { name, type, key, onProgress, signal }, authorized) {
  const request = new XMLHttpRequest();
  request.open("POST", `/v1/jobs?${new URLSearchParams({ filename: name })}`);
  request.setRequestHeader("Authorization", authorized);
  request.setRequestHeader("Content-Type", typeOf(type));
  request.setRequestHeader("Idempotency-Key", key);
  request.upload.addEventListener("progress", (event) => onProgress(event.loaded / (event.total || 1)));
  return new Promise((resolve, reject) => {
    const abort = () => request.abort();
    signal.addEventListener("abort", abort);
    request.addEventListener("abort", () => reject(signal.reason));
    request.addEventListener("error", () => reject(cutOff()));
    request.addEventListener("load", () => settle(request, resolve, reject));
    request.addEventListener("loadend", () => signal.removeEventListener("abort", abort));
    request.send(body);
  });
}

// Browsers guess the type by the name and call some videos application/… or text/…; the server looks into the file.
const typeOf = (type) => (/^(video|audio)\//.test(type) ? type : "application/octet-stream");

function settle(request, resolve, reject) {
  if (request.status === 202) resolve(JSON.parse(request.responseText));
  else reject(problemOf(request.status, request.responseText));
}

// A browser that is refused while it still sends often sees only a closed connection, not the reason.
const cutOff = () => new Problem(0, "cut-off");
