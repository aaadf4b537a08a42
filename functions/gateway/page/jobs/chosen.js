/** Several jobs at once: which are chosen, and what can be done with all of them. */

import { confirmed } from "../core/dialog.js";
import { announce, byId, guarded } from "../core/dom.js";
import { said } from "../core/problem.js";
import { toast } from "../core/toast.js";
import { say, tellWith } from "../core/words.js";
import { discardAll, downloadAll, retryAll } from "./actions.js";
import { fail } from "./failing.js";
import { retryOf } from "./retrying.js";

const chosen = new Set(); // job ids
let list = null;
let last = null; // the id that was chosen last: with the shift key, all up to there

/** Wires the bar; `given` is the list of jobs.js. */
export function setUpChosen(given) {
  list = given;
  const wire = (id, action) => byId(id).addEventListener("click", ({ currentTarget }) => guarded(currentTarget, action, showProblem));
  wire("chosen-zip", zip);
  wire("chosen-retry", again);
  wire("chosen-delete", remove);
  wire("chosen-none", () => { unchoose(); byId("jobs-title").focus(); });
  wire("chosen-all", () => (byId("chosen-all").checked ? all() : unchoose()));
}

/** One is chosen, or is not any more; with `isRange`, all up to the one before it. */
export function choose(id, isChosen, isRange = false) {
  const ids = isRange && last ? between(last, id) : [id];
  for (const each of ids) mark(each, isChosen);
  last = id;
  show();
}

/** Some are not chosen any more, or none. */
export function unchoose(ids = [...chosen]) {
  for (const id of ids) mark(id, false);
  show();
}

async function all() {
  await list.store.whole();
  for (const { id } of list.store.jobs) mark(id, true);
  show();
}

function mark(id, isChosen) {
  const row = list.row(id);
  if (row) row.isChosen = isChosen;
  if (isChosen && row) chosen.add(id);
  else chosen.delete(id);
}

function between(one, other) {
  const ids = list.store.jobs.map(({ id }) => id);
  const [from, to] = [ids.indexOf(one), ids.indexOf(other)].sort((a, b) => a - b);
  return from < 0 ? [other] : ids.slice(from, to + 1);
}

const jobs = () => list.store.jobs.filter(({ id }) => chosen.has(id));

function show() {
  const [all, some] = [list.store.size, chosen.size];
  byId("chosen").hidden = !some;
  byId("jobs").classList.toggle("choosing", some > 0);
  byId("chosen-problem").hidden = true;
  byId("chosen-all").checked = some === all && list.store.isWhole;
  byId("chosen-all").indeterminate = some > 0 && !byId("chosen-all").checked;
  tellWith(byId("chosen-count"), () => say("chosen.count", { count: some }));
  byId("chosen-zip").hidden = !jobs().some(({ links }) => links.audio);
  byId("chosen-retry").hidden = !jobs().some(isRetried);
}

// Not those that are done: a click for many is for what went wrong.
const isRetried = (job) => !job.links.audio && Boolean(retryOf(job));

async function zip() {
  await downloadAll(jobs().filter(({ links }) => links.audio));
  toast("chosen.zip.begun");
}

async function again() {
  const retried = jobs().filter(isRetried);
  await retryAll(retried, retryOf, list.take, (job, error) => fail(error, job.id, list));
  announce(say("chosen.retried", { count: retried.length }));
}

async function remove() {
  const gone = jobs();
  if (!(await confirmed("chosen.delete.question", { count: gone.length }))) return;
  await discardAll(gone, list.gone);
  announce(say("chosen.deleted", { count: gone.length }));
  byId("jobs-title").focus();
}

function showProblem(error) {
  const { title, detail } = said(error);
  byId("chosen-problem").textContent = `${title} ${detail}`;
  byId("chosen-problem").hidden = false;
}
