/** Taking videos in: the drop area, the file chooser, and a card for each file on its way up. */

import { announce, byId } from "../core/dom.js";
import { bytes } from "../core/format.js";
import { said } from "../core/problem.js";
import { remembered } from "../core/session.js";
import { State } from "../core/states.js";
import { say } from "../core/words.js";
import { Card } from "../jobs/card.js";
import { reduced } from "./reduced.js";
import { upload } from "./upload.js";

const underway = new Map(); // AbortController → file name
let uploaded = () => {};

/** Wires the ways in; `onUploaded` gets the job of each file that has arrived. */
export function setUpUploads(onUploaded) {
  uploaded = onUploaded;
  byId("files").addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = ""; // or choosing the same file again would change nothing
  });
  acceptDrops();
  window.addEventListener("beforeunload", (event) => underway.size && remembered() && event.preventDefault());
}

/** Whether a job is one of the uploads that have a card here already. */
export const isArriving = (job) => job.state === State.RECEIVING && [...underway.values()].includes(job.filename);

// The whole window takes drops: a file that misses the marked area must not replace the page.
function acceptDrops() {
  const mark = (over) => byId("drop").classList.toggle("over", over);
  const ready = () => !byId("view-home").hidden;
  window.addEventListener("dragover", (event) => { event.preventDefault(); mark(ready()); });
  window.addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    if (ready()) take(event.dataTransfer.files);
  });
}

function take(files) {
  const whole = byId("whole").checked;
  for (const file of files) send({ file, whole, card: new Card(file.name), key: newKey() });
  announce(say("upload.begun", { count: files.length, name: files[0]?.name }));
}

// Not crypto.randomUUID: over plain HTTP browsers offer that on localhost only.
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("-");

async function send(chosen) {
  const { file, card, key } = chosen;
  const sending = new AbortController();
  const { signal } = sending;
  underway.set(sending, file.name);
  begin(file, card, sending);
  try {
    const onProgress = (fraction) => progress(card, "uploading", fraction);
    const job = await upload(file, { reduce: () => reduce(chosen, signal), key, signal, onProgress });
    card.element.remove();
    uploaded(job);
  } catch (problem) {
    if (signal.aborted) card.element.remove();
    else fail(chosen, problem);
  } finally {
    underway.delete(sending);
  }
}

/** What is sent of a chosen file; the card says how much stays here. */
async function reduce({ file, whole, card }, signal) {
  if (whole) return file;
  const onProgress = (fraction) => progress(card, "reading", fraction);
  const sound = await reduced(file, { signal, onProgress });
  progress(card, "uploading");
  if (!sound) return file;
  const saved = () => say("upload.saved", { stays: bytes(file.size - sound.size), sent: bytes(sound.size) });
  card.showFacts(() => [saved()]);
  announce(`${file.name}: ${saved()}`);
  return sound;
}

function begin(file, card, sending) {
  byId("uploads").append(card.element);
  card.showState("uploading", () => say("upload.uploading"));
  card.showFacts(() => [bytes(file.size)]);
  card.showProgress(null);
  card.showWhy(null);
  card.showActions([{ key: "jobs.cancel", run: () => stop(file, sending) }]);
}

function progress(card, state, fraction = null) {
  card.showState(state, () => say(`upload.${state}`), fraction);
  card.showProgress(fraction);
}

function stop(file, sending) {
  sending.abort();
  announce(say("upload.cancelled", { name: file.name }));
  byId("jobs-title").focus();
}

function fail(chosen, problem) {
  const { card } = chosen;
  card.showState(State.FAILED, () => say("upload.failed"));
  card.showProgress(undefined);
  card.showWhy(() => said(problem));
  card.showActions([
    { key: "jobs.retry", run: () => void send(chosen) },
    { key: "upload.remove", run: () => { card.element.remove(); byId("jobs-title").focus(); }, kind: "quiet" },
  ]);
}
