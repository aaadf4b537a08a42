/** The list of conversions: what each job shows and what one can do with it. */

import { ask, askJson, local } from "../core/api.js";
import { confirmed } from "../core/dialog.js";
import { announce, byId, guarded } from "../core/dom.js";
import { bytes, duration, isActive, moment, stateLabel } from "../core/format.js";
import { saidOfJob } from "../core/problem.js";
import { State } from "../core/states.js";
import { go, showMissing } from "../core/views.js";
import { say } from "../core/words.js";
import { helpsPartial, retryPartial } from "../upload/partial.js";
import { isArriving } from "../upload/uploads.js";
import { Card } from "./card.js";
import { Watch } from "./watch.js";

const entries = new Map(); // job id → {job, card}
const watch = new Watch({ known: newestFirst, onJob: update, onGone: drop });
let cursor = null;
let alone = null; // the id of the job that has a view to itself
let finished = () => {};

/** Wires the list; `onFinished` is called whenever a job that was under way comes to its end. */
export function setUpJobs(onFinished) {
  finished = onFinished;
  byId("jobs-more").addEventListener("click", (event) => guarded(event.currentTarget, more));
}

export async function openJobs() {
  await load("/v1/jobs?limit=20");
  watch.start();
}

/** Puts a job on the page that was created just now. */
export function addJob(job) {
  place(job);
  watch.start();
}

/** The view /jobs/{id}: the card of that job, taken out of the list. */
export async function openJob({ id }) {
  alone = id;
  try {
    place(await askJson(`/v1/jobs/${encodeURIComponent(id)}`));
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    return showMissing();
  }
  byId("job-alone").replaceChildren(entries.get(id).card.element);
  watch.start();
}

/** Leaves it: the card goes back to its place. */
export function closeJob() {
  const entry = entries.get(alone);
  alone = null;
  if (entry) insert(entry);
}

async function more() {
  const shown = entries.size;
  await load(`/v1/jobs?limit=20&cursor=${encodeURIComponent(cursor)}`);
  announce(say("jobs.more-shown", { count: entries.size - shown }));
}

async function load(url) {
  const { items, next_cursor } = await askJson(url);
  items.filter((job) => !isArriving(job)).forEach(place);
  cursor = next_cursor;
  byId("jobs-more").hidden = cursor === null;
  showEmpty();
}

function place(job) {
  if (entries.has(job.id)) return update(job);
  const entry = { job, card: new Card(job.filename) };
  entries.set(job.id, entry);
  show(entry);
  insert(entry);
  showEmpty();
}

function insert({ job, card }) {
  const older = newestFirst().find((other) => other.id !== job.id && !newer(other, job) && other.id !== alone);
  byId("jobs").insertBefore(card.element, older ? entries.get(older.id).card.element : null);
}

function update(job) {
  const entry = entries.get(job.id);
  if (!entry || job.updated_at < entry.job.updated_at) return;
  const ended = isActive(entry.job) && !isActive(job);
  entry.job = job;
  show(entry);
  if (ended) finished(job);
}

function drop(id) {
  if (!entries.has(id)) return;
  const { audio, element } = entries.get(id).card;
  if (audio.src.startsWith("blob:")) URL.revokeObjectURL(audio.src);
  element.remove();
  entries.delete(id);
  showEmpty();
}

function newestFirst() {
  return [...entries.values()].map(({ job }) => job).sort((one, other) => (newer(one, other) ? -1 : 1));
}

const newer = (one, other) => one.created_at > other.created_at;

function showEmpty() {
  byId("jobs-empty").hidden = entries.size > 0;
}

function show({ job, card }) {
  card.showRemarks((job.warnings ?? []).map((warning) => warning.text));
  card.showState(job.state, () => stateLabel(job.state), job.state === State.CONVERTING ? job.progress : undefined);
  card.showProgress(isActive(job) ? job.progress || null : undefined);
  card.showFacts(() => factsOf(job));
  card.showWhy(job.error && (() => saidOfJob(job.error)));
  card.showActions(actionsOf(job, card));
}

function factsOf(job) {
  const facts = [moment(job.created_at)];
  if (job.duration_seconds) facts.push(duration(job.duration_seconds));
  if (job.state === State.DONE && job.size_bytes) facts.push(bytes(job.size_bytes));
  if (job.state === State.DONE && job.expires_at) facts.push(say("jobs.kept-until", { when: moment(job.expires_at) }));
  return facts;
}

function actionsOf(job, card) {
  const { links } = job; // a link is there when the state of the job allows what it does
  const actions = [];
  if (links.audio) actions.push({ key: "jobs.download", run: () => download(job), kind: "main", symbol: "download" });
  if (links.audio && !isZip(job)) actions.push({ key: "jobs.play", run: () => play(job, card), symbol: "play" });
  if (links.cancel) actions.push({ key: "jobs.cancel", run: () => change(links.cancel) });
  if (helpsPartial(job)) actions.push({ key: "upload.partial", run: async () => follow(await retryPartial(job)), kind: "main" });
  if (links.retry) actions.push({ key: job.state === State.DONE ? "jobs.again" : "jobs.retry", run: () => change(links.retry) });
  if (!isActive(job)) actions.push({ key: "core.delete", run: () => discard(job), kind: "quiet" });
  return actions;
}

/** Whether the owner asked for a file for each chapter. */
function isZip(job) {
  return job.options.chapters === "split";
}

const change = async (link) => follow(await askJson(local(link), { method: "POST" }));

function follow(job) {
  update(job);
  watch.start();
}

async function discard(job) {
  if (!(await confirmed("jobs.delete.question", { name: job.filename }))) return;
  await ask(local(job.links.self), { method: "DELETE" });
  drop(job.id);
  if (alone === job.id) await go("/");
  announce(say("jobs.deleted", { name: job.filename }));
  byId("jobs-title").focus();
}

async function play(job, card) {
  if (card.audio.hidden || card.audio.error) card.audio.src = (await audioOf(job)).url;
  card.audio.hidden = false;
  card.audio.focus();
  await card.audio.play();
}

async function download(job) {
  const link = document.createElement("a");
  const { url, name } = await audioOf(job);
  link.href = url;
  link.download = name;
  link.click();
}

/**
 * A URL that plays without a token: a fresh signed link, for they run out, else the whole MP3 in memory.
 * And the file's name: the server has it, and where it answers itself, no name stands in its way.
 */
async function audioOf(job) {
  const { links } = await askJson(local(job.links.self));
  if (links.download) return { url: local(links.download), name: "" };
  const answer = await ask(local(links.audio));
  const name = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition"));
  return { url: URL.createObjectURL(await answer.blob()), name: name ? decodeURIComponent(name[1]) : "" };
}
