/** The uploads that are not over: a line for each, and what can be done with them. Loaded when there is the first of them. */

import { askJson } from "../core/api.js";
import { announce, byId, guarded } from "../core/dom.js";
import { bytes, percent } from "../core/format.js";
import { say, tellWith } from "../core/words.js";
import { refetched } from "./files.js";
import { Queue } from "./queue.js";
import { Row } from "./row.js";
import { timeLeft } from "./time.js";

const REFRESH_MS = 250;

let [queue, uploaded, refresh] = [null, () => {}, null];
const rows = new Map(); // Item → Row

/** Shows what the account, by its id, left unfinished, and from now on uploads for it; `onUploaded` gets the job of each file that has arrived. */
export async function openList(account, onUploaded) {
  uploaded = onUploaded;
  queue = new Queue({ account, onChange: changed, onDone: arrived });
  byId("uploads-pause").addEventListener("click", () => all("pause"));
  byId("uploads-resume").addEventListener("click", () => all("resume"));
  await queue.recall();
}

/** Whether a job is one of the uploads that have a line here already. */
export const hasJob = (job) => queue.items.some((item) => item.job === job.id);

/** Whether something would stop if the page were left now. */
export const isBusy = () => queue.isBusy;

/** Takes in [{file, handle}], to be sent whole or not, and converted with these options. */
export function take(files, whole, options) {
  for (const { file, handle } of files) queue.add(file, { whole, options, handle });
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
