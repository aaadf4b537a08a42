/** Taking videos in: the drop area, the file chooser, and a card for each file on its way up. */

import { Card } from "./card.js";
import { announce, byId } from "./dom.js";
import { bytes } from "./format.js";
import { reduced } from "./reduced.js";
import { current } from "./session.js";
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
  window.addEventListener("beforeunload", (event) => underway.size && current() === "in" && event.preventDefault());
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
  const whole = byId("whole").checked;
  for (const file of files) send({ file, whole, card: new Card(file.name), key: newKey() });
  announce(files.length === 1 ? `Uploading ${files[0].name}` : `Uploading ${files.length} files`);
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
    const onProgress = (fraction) => progress(card, "uploading", "Uploading", fraction);
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
  const onProgress = (fraction) => progress(card, "reading", "Taking the sound out", fraction);
  const sound = await reduced(file, { signal, onProgress });
  progress(card, "uploading", "Uploading");
  if (!sound) return file;
  const saved = `${bytes(file.size - sound.size)} stay here, ${bytes(sound.size)} to send`;
  card.showFacts([saved]);
  announce(`${file.name}: ${saved}`);
  return sound;
}

function begin(file, card, sending) {
  byId("uploads").append(card.element);
  card.showState("uploading", "Uploading");
  card.showFacts([bytes(file.size)]);
  card.showProgress(null);
  card.showWhy(null);
  card.showActions([{ label: "Cancel", run: () => stop(file, sending) }]);
}

function progress(card, state, label, fraction = null) {
  card.showState(state, label, fraction);
  card.showProgress(fraction);
}

function stop(file, sending) {
  sending.abort();
  announce(`${file.name}: upload cancelled`);
  byId("jobs-title").focus();
}

function fail(chosen, problem) {
  const { card } = chosen;
  card.showState(State.FAILED, "Not uploaded");
  card.showProgress(undefined);
  card.showWhy(problem);
  card.showActions([
    { label: "Try again", run: () => void send(chosen) },
    { label: "Remove", run: () => { card.element.remove(); byId("jobs-title").focus(); }, kind: "quiet" },
  ]);
}
