/** Taking videos in: the drop area, the file chooser, what waits, and a line for each file on its way up. */

import { askJson } from "../core/api.js";
import { confirmed } from "../core/dialog.js";
import { announce, byId, guarded, showProblem } from "../core/dom.js";
import { bytes, percent } from "../core/format.js";
import { account } from "../core/header.js";
import { beforeSignOut, isLeaving } from "../core/leaving.js";
import { say, tell, tellWith } from "../core/words.js";
import { pick, refetched } from "./files.js";
import { limit } from "./limits.js";
import { chosen, forgetOnce, setUpOptions } from "./options.js";
import { Queue } from "./queue.js";
import { Row } from "./row.js";
import { timeLeft } from "./time.js";
import { setUpUrl } from "./url.js";

const REFRESH_MS = 250;

let [queue, uploaded, refresh] = [null, () => {}, null];
const rows = new Map(); // Item → Row

/** Wires the ways in; `onUploaded` gets the job of each file that has arrived. */
export function setUpUploads(onUploaded) {
  uploaded = onUploaded;
  byId("files").addEventListener("change", takeChosen);
  byId("files").addEventListener("click", (event) => pick(event, take));
  byId("uploads-pause").addEventListener("click", () => all("pause"));
  byId("uploads-resume").addEventListener("click", () => all("resume"));
  acceptDrops();
  setUpOptions((file, options) => take([{ file }], options));
  setUpUrl(chosen, (job) => { forgetOnce(); uploaded(job); });
  beforeSignOut(mayStop);
  window.addEventListener("beforeunload", (event) => isBusy() && !isLeaving() && event.preventDefault());
}

/** Shows what this account left unfinished, and from now on uploads for it. */
export async function openUploads() {
  if (queue) return;
  queue = new Queue({ account: account().id, onChange: changed, onDone: arrived });
  tellLimit();
  await queue.recall();
  takeChosen(); // what was chosen before this was loaded
}

/** Whether a job is one of the uploads that have a line here already. */
export const isArriving = (job) => Boolean(queue?.items.some((item) => item.job === job.id));

// Whether something would stop if the page were left now.
const isBusy = () => Boolean(queue?.isBusy);

const mayStop = async () => !isBusy() || confirmed("upload.leave", {}, { yes: "upload.leave.yes", no: "upload.leave.no" });

async function tellLimit() {
  const most = await limit();
  if (most < Infinity) tell(byId("limit"), "upload.limit", { most: () => bytes(most) });
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
  if (!files.length || !queue) return;
  const whole = byId("whole").checked;
  for (const { file, handle } of files) queue.add(file, { whole, options, handle });
  forgetOnce();
  announce(say("upload.begun", { count: files.length, name: files[0].file.name }));
}

const acts = {
  pause: (item) => queue.pause(item),
  resume: (item) => queue.resume(item),
  cancel: (item) => stop(item),
  choose: async (item) => {
    const file = await refetched(item);
    if (file) await queue.choose(item, file);
  },
};

function stop(item) {
  const { name } = item;
  const next = rows.get(item)?.element.nextElementSibling?.querySelector("h3") ?? byId("add-title");
  queue.cancel(item);
  announce(say("upload.cancelled", { name }));
  next.focus();
}

function all(act) {
  const states = { pause: ["waiting", "reading", "sending", "stalled"], resume: ["paused"] }[act];
  for (const item of queue.items.filter(({ state }) => states.includes(state))) queue[act](item);
}

async function arrived(item) {
  await guarded(byId("uploads"), async () => uploaded(await askJson(`/v1/jobs/${item.job}`)));
}

// A change of state is shown at once, figures a few times a second.
function changed(item) {
  if (!queue) return;
  const isHere = queue.items.includes(item);
  if (isHere && !rows.has(item)) begin(item);
  if (!isHere) end(item);
  if (rows.get(item)?.element.dataset.state !== item.state) rows.get(item)?.show();
  refresh ??= setTimeout(showAll, REFRESH_MS);
}

function begin(item) {
  rows.set(item, new Row(item, acts));
  byId("uploads").append(rows.get(item).element);
}

function end(item) {
  rows.get(item)?.element.remove();
  rows.delete(item);
}

function showAll() {
  refresh = null;
  for (const row of rows.values()) row.show();
  byId("upload-list").hidden = !rows.size;
  showTotal();
  // Without news the speed falls, too.
  if (isBusy()) refresh = setTimeout(showAll, REFRESH_MS * 4);
}

function showTotal() {
  const { count, sent, total, speed, seconds } = queue.summary();
  const states = queue.items.map(({ state }) => state);
  byId("uploads-total").hidden = count < 2;
  byId("uploads-pause").hidden = !states.some((state) => ["waiting", "reading", "sending", "stalled"].includes(state));
  byId("uploads-resume").hidden = !states.includes("paused");
  const pace = () => (speed ? [say("upload.speed", { speed: bytes(speed) }), timeLeft(seconds)] : []);
  const part = () => say("upload.total", { count, sent: bytes(sent), total: bytes(total) });
  tellWith(byId("uploads-total"), () => [part(), percent(total ? sent / total : 0), ...pace()].join(" · "));
}
