/** Taking videos in: the drop area, the file chooser, and a card for each file on its way up. */

import { Card } from "./card.js";
import { announce, byId } from "./dom.js";
import { bytes } from "./format.js";
import { remembered } from "./session.js";
import { State } from "./states.js";
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
  const ready = () => !byId("workspace").hidden;
  window.addEventListener("dragover", (event) => { event.preventDefault(); mark(ready()); });
  window.addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    if (ready()) take(event.dataTransfer.files);
  });
}

function take(files) {
  for (const file of files) send(file, new Card(file.name), newKey());
  announce(files.length === 1 ? `Uploading ${files[0].name}` : `Uploading ${files.length} files`);
}

// Not crypto.randomUUID: over plain HTTP browsers offer that on localhost only.
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("-");

async function send(file, card, key) {
  const sending = new AbortController();
  underway.set(sending, file.name);
  begin(file, card, sending);
  try {
    const job = await upload(file, { key, signal: sending.signal, onProgress: (fraction) => progress(card, fraction) });
    card.element.remove();
    uploaded(job);
  } catch (problem) {
    if (sending.signal.aborted) card.element.remove();
    else fail(file, card, key, problem);
  } finally {
    underway.delete(sending);
  }
}

function begin(file, card, sending) {
  byId("uploads").append(card.element);
  card.showState("uploading", "Uploading");
  card.showFacts([bytes(file.size)]);
  card.showProgress(null);
  card.showWhy(null);
  card.showActions([{ label: "Cancel", run: () => stop(file, sending) }]);
}

function progress(card, fraction) {
  card.showState("uploading", "Uploading", fraction);
  card.showProgress(fraction);
}

function stop(file, sending) {
  sending.abort();
  announce(`${file.name}: upload cancelled`);
  byId("jobs-title").focus();
}

function fail(file, card, key, problem) {
  card.showState(State.FAILED, "Not uploaded");
  card.showProgress(undefined);
  card.showWhy(problem);
  card.showActions([
    { label: "Try again", run: () => void send(file, card, key) },
    { label: "Remove", run: () => { card.element.remove(); byId("jobs-title").focus(); }, kind: "quiet" },
  ]);
}
