/** Taking videos in: the drop area, the file chooser, the address of a video. What becomes of files is for list.js. */

import { confirmed } from "../core/dialog.js";
import { byId, showProblem } from "../core/dom.js";
import { bytes } from "../core/format.js";
import { account } from "../core/header.js";
import { once } from "../core/late.js";
import { beforeSignOut, isLeaving } from "../core/leaving.js";
import { whenBack } from "../core/network.js";
import { tell } from "../core/words.js";
import { pick } from "./files.js";
import { unfinished } from "./kept.js";
import { limit } from "./limits.js";
import { chosen, forgetOnce, setUpOptions } from "./options.js";

let [isOpen, uploaded] = [false, () => {}];
let list = null; // list.js, once it is loaded
const chosenBefore = []; // what is to be uploaded as soon as it is

/** Wires the ways in; `onUploaded` gets the job of each file that has arrived. */
export function setUpUploads(onUploaded) {
  uploaded = onUploaded;
  byId("files").addEventListener("change", takeChosen);
  byId("files").addEventListener("click", (event) => pick(event, take));
  acceptDrops();
  setUpOptions((file, options) => take([{ file }], options));
  acceptAddresses();
  beforeSignOut(mayStop);
  window.addEventListener("beforeunload", (event) => isBusy() && !isLeaving() && event.preventDefault());
}

/** Shows what this account left unfinished, and from now on uploads for it. */
export async function openUploads() {
  if (isOpen) return;
  tellLimit();
  if ((await unfinished(account().id)).length) await load();
  isOpen = true;
  takeChosen(); // what was chosen before this was loaded
  uploadChosen();
}

/** Whether a job is one of the uploads that have a line here already. */
export const isArriving = (job) => Boolean(list?.hasJob(job));

// Whether something would stop if the page were left now.
const isBusy = () => Boolean(list?.isBusy());

const mayStop = async () => !isBusy() || confirmed("upload.leave", {}, { yes: "upload.leave.yes", no: "upload.leave.no" });

async function tellLimit() {
  const most = await limit();
  if (most < Infinity) tell(byId("limit"), "upload.limit", { most: () => bytes(most) });
}

// What becomes of an address is loaded once somebody is at the form.
function acceptAddresses() {
  const form = byId("url-form");
  let isReady = false;
  const ready = once(async () => {
    const { setUpUrl } = await import("./url.js");
    setUpUrl(chosen, (job) => { forgetOnce(); uploaded(job); });
    isReady = true;
  });
  form.addEventListener("focusin", () => ready().catch(() => {}), { once: true });
  form.addEventListener("submit", (event) => {
    if (isReady) return;
    event.preventDefault();
    ready().then(() => form.requestSubmit(), showProblem);
  });
}

// The whole window takes drops: a file that misses the marked area must not replace the page.
function acceptDrops() {
  const mark = (over) => byId("drop").classList.toggle("over", over);
  const ready = () => !byId("view-home").hidden;
  window.addEventListener("dragover", (event) => { event.preventDefault(); mark(ready()); });
  window.addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    if (ready()) dropped([...event.dataTransfer.items]).then(take, showProblem);
  });
}

// All has to be asked for at once: afterwards the browser takes it away.
function dropped(items) {
  const files = items.filter(({ kind }) => kind === "file");
  return Promise.all(
    files.map(async (each) => {
      const [file, handle] = [each.getAsFile(), each.getAsFileSystemHandle?.()];
      return { file, handle: await Promise.resolve(handle).catch(() => undefined) };
    }),
  );
}

function takeChosen() {
  const files = [...byId("files").files];
  byId("files").value = ""; // or choosing the same file again would change nothing
  take(files.map((file) => ({ file })));
}

/** Takes in [{file, handle}]. */
function take(files, options = chosen()) {
  if (!files.length) return;
  chosenBefore.push([files, byId("whole").checked, options]);
  forgetOnce();
  uploadChosen();
}

// What is chosen sooner waits until it is known whose it is.
function uploadChosen() {
  if (isOpen && chosenBefore.length) whenBack(passOn).catch(showProblem);
}

async function passOn() {
  await load();
  for (const each of chosenBefore.splice(0)) list.take(...each);
}

const load = once(async () => {
  const made = await import("./list.js");
  await made.openList(account().id, uploaded);
  list = made;
});
