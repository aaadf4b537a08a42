/** Sends files, one after the other, each as the raw body of POST /v1/jobs. */

import { problemOf, Problem } from "./problem.js";
import { authorization, renew } from "./session.js";

let last = Promise.resolve();

/**
 * Queues a file; `onProgress` gets 0–1. Resolves to the job that the server made of it.
 * Throws Problem, or an AbortError once `signal` is aborted. `key` makes sending the same file again safe.
 */
export function upload(file, { key, onProgress, signal }) {
  const turn = last.then(() => sendAuthorized(file, { key, onProgress, signal }));
  last = turn.catch(() => {});
  return turn;
}

async function sendAuthorized(file, options) {
  options.signal.throwIfAborted();
  try {
    return await send(file, options, await authorization());
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    await renew();
    return send(file, options, await authorization());
  }
}

// XMLHttpRequest, because fetch does not tell how much of a body has been sent.
function send(file, { key, onProgress, signal }, authorized) {
  const request = new XMLHttpRequest();
  request.open("POST", `/v1/jobs?${new URLSearchParams({ filename: file.name })}`);
  request.setRequestHeader("Authorization", authorized);
  request.setRequestHeader("Content-Type", typeOf(file));
  request.setRequestHeader("Idempotency-Key", key);
  request.upload.addEventListener("progress", (event) => onProgress(event.loaded / (event.total || 1)));
  return new Promise((resolve, reject) => {
    const abort = () => request.abort();
    signal.addEventListener("abort", abort);
    request.addEventListener("abort", () => reject(signal.reason));
    request.addEventListener("error", () => reject(cutOff()));
    request.addEventListener("load", () => settle(request, resolve, reject));
    request.addEventListener("loadend", () => signal.removeEventListener("abort", abort));
    request.send(file);
  });
}

// Browsers guess the type by the name and call some videos application/… or text/…; the server looks into the file.
const typeOf = ({ type }) => (/^(video|audio)\//.test(type) ? type : "application/octet-stream");

function settle(request, resolve, reject) {
  if (request.status === 202) resolve(JSON.parse(request.responseText));
  else reject(problemOf(request.status, request.responseText));
}

// A browser that is refused while it still sends often sees only a closed connection, not the reason.
const cutOff = () =>
  new Problem(
    0,
    "The upload was cut off.",
    "The connection was lost, the file cannot be read, or it is larger than this server takes. Try again.",
  );
