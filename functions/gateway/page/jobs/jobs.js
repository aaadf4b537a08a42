/** The list of conversions: what is found, in rows, kept up to date; and the view of one alone. */

import { askJson } from "../core/api.js";
import { announce, byId, guarded } from "../core/dom.js";
import { isActive } from "../core/format.js";
import { account } from "../core/header.js";
import { isAway, said } from "../core/problem.js";
import { go, showMissing } from "../core/views.js";
import { say } from "../core/words.js";
import { isArriving } from "../upload/uploads.js";
import { Live } from "./live.js";
import { Parts } from "./parts.js";
import { dropPlaying, isPlaying, renamePlaying, setUpPlaying } from "./playing.js";
import { Row } from "./row.js";
import { prepare, setUpRows, unchoose } from "./rows.js";
import { Store } from "./store.js";
import { countJob, setUpTelling, tellEnd } from "./telling.js";

const TYPED_MS = 250; // after the last letter it is searched
const AHEAD = "1200px"; // so far before its end the list goes on
const FIRST = 30; // rows that are whole at once

const rows = new Map(); // job id → Row
let alone = null; // {job, row}: the job that has a view to itself
let live = null;
let isOpen = false;
let finished = () => {};

const nearEnd = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && more().catch(showEnd), { rootMargin: AHEAD });
const parts = new Parts(byId("jobs"), ({ dataset }) => rows.get(dataset.id));
const store = new Store({ placed, changed, dropped, cleared, isElsewhere: isArriving });

/** What rows and the bar of those that are chosen need of the list. */
const list = {
  store,
  row: (id) => (alone?.job.id === id ? alone.row : rows.get(id)),
  job: (id) => (alone?.job.id === id ? alone.job : store.get(id)),
  take,
  gone(ids) {
    ids.forEach(drop);
    for (const id of ids) live?.tell({ event: "gone", data: { id } });
  },
};

/** Wires the list; `onFinished` is called whenever a job that was under way comes to its end. */
export function setUpJobs(onFinished) {
  finished = onFinished;
  setUpTelling();
  setUpSearch();
  setUpRows(list);
  setUpPlaying(showPlaying);
  for (const id of ["jobs", "job-alone"]) prepare(byId(id));
  byId("jobs-more").addEventListener("click", (event) => guarded(event.currentTarget, more, showEnd));
  watchEnd();
  new MutationObserver(showBlank).observe(byId("uploads"), { childList: true });
}

// Who comes back finds the list as it was left.
export async function openJobs() {
  await (isOpen ? store.check() : store.open());
  isOpen = true;
  listen();
}

/** Puts a job on the page that was created just now. */
export function addJob(job) {
  take(job);
  listen();
}

/** The view /jobs/{id}: that job alone; `shown` gets it as it is now, and whenever it changes. */
export async function openJob({ id }, shown) {
  try {
    const job = await askJson(`/v1/jobs/${encodeURIComponent(id)}`);
    alone = { job, row: new Row(job), shown };
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    return showMissing();
  }
  alone.row.fill();
  alone.row.element.querySelector(".job-name").ariaLevel = 2;
  byId("job-alone").replaceChildren(alone.row.element);
  showPlaying(id);
  shown(alone.job);
  listen();
}

/** Leaves it. */
export function closeJob() {
  alone = null;
  byId("job-alone").replaceChildren();
}

function listen() {
  if (live) return;
  live = new Live(account()?.id, onEvent, () => store.check().catch(() => {}));
  live.start();
}

function onEvent({ event, data }) {
  if (event === "job") take(data);
  if (event === "gone") drop(data.id);
}

/** A job is as this says now, wherever that is from. */
function take(job) {
  const wasAtWork = countJob(job.id, isActive(job));
  if (alone?.job.id === job.id && job.updated_at >= alone.job.updated_at) {
    alone.job = job;
    alone.row.show(job);
    alone.row.showPlaying(isPlaying(job.id));
    alone.shown(job);
  }
  store.take(job);
  renamePlaying(job);
  if (!wasAtWork || isActive(job)) return;
  tellEnd(job);
  finished(job);
}

function drop(id) {
  countJob(id, false);
  dropPlaying(id);
  store.drop(id);
  if (alone?.job.id === id) go("/");
}

function placed(job, next) {
  const row = new Row(job);
  if (next || rows.size < FIRST) row.fill();
  rows.set(job.id, row);
  countJob(job.id, isActive(job));
  parts.place(row.element, next && rows.get(next.id).element);
  if (isPlaying(job.id)) row.showPlaying(true);
  queueMicrotask(showEnds);
}

function changed(job) {
  rows.get(job.id).show(job);
  rows.get(job.id).showPlaying(isPlaying(job.id));
}

// Whoever was in the row goes to the next one, and not to the top of the page.
function dropped({ id }) {
  const { element } = rows.get(id);
  const beside = parts.beside(element);
  if (element.contains(document.activeElement)) (beside ? rows.get(beside.dataset.id) : byId("jobs-title")).focus();
  parts.remove(element);
  rows.delete(id);
  unchoose([id]);
  showEnds();
}

function cleared() {
  parts.clear();
  rows.clear();
  unchoose();
  showEnds();
}

function showPlaying(id, isOver = false) {
  list.row(id)?.showPlaying(isPlaying(id));
  rows.get(id)?.showPlaying(isPlaying(id));
  if (isOver) list.row(id)?.focus();
}

// Anew after each page: who scrolls fast is at the end again before it is noticed that it was out of sight.
function watchEnd() {
  nearEnd.unobserve(byId("jobs-end"));
  nearEnd.observe(byId("jobs-end"));
}

async function more() {
  const before = store.size;
  byId("jobs-problem").hidden = true;
  await store.more();
  showEnds();
  watchEnd();
  if (store.size > before) announce(say("jobs.more-shown", { count: store.size - before }));
}

function showEnd(error) {
  const { title, detail } = said(error);
  byId("jobs-problem").textContent = `${title} ${detail}`;
  byId("jobs-problem").hidden = false;
}

function showEnds() {
  byId("jobs-loading").hidden = true;
  byId("jobs-end").hidden = store.isWhole;
  showBlank();
}

function showBlank() {
  const { q, show } = store.filter;
  const isFiltered = Boolean(q) || show !== "all";
  const isEmpty = byId("jobs-loading").hidden && !store.size;
  const isUploading = byId("uploads").childElementCount > 0;
  byId("jobs-empty").hidden = !isEmpty || isFiltered || isUploading;
  byId("jobs-soon").hidden = !isEmpty || isFiltered || !isUploading;
  byId("jobs-unfound").hidden = !isEmpty || !isFiltered;
  byId("jobs-tools").hidden = !store.size && !isFiltered;
}

function setUpSearch() {
  let timer = null;
  byId("jobs-q").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPED_MS);
  });
  byId("jobs-show").addEventListener("change", search);
  byId("jobs-clear").addEventListener("click", () => {
    byId("jobs-q").value = "";
    byId("jobs-show").value = "all";
    search();
    byId("jobs-q").focus();
  });
}

async function search() {
  try {
    await store.open({ q: byId("jobs-q").value.trim(), show: byId("jobs-show").value });
    byId("jobs-problem").hidden = true;
    announce(say(store.isWhole ? "jobs.found" : "jobs.found-more", { count: store.size }));
  } catch (error) {
    byId("jobs-end").hidden = false;
    showEnd(error);
    if (isAway(error)) setTimeout(search, 3000);
  }
}

