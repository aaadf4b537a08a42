/**
 * One job as a row: built once and then changed in place, so that focus stays. Far from where one looks it is its name alone: there
 * may be thousands. What its buttons do is for rows.js.
 */

import { make, stamp } from "../core/dom.js";
import { bytes, day, duration, isActive, left, moment, percent, stateLabel } from "../core/format.js";
import { icon } from "../core/icons.js";
import { menu } from "../core/menu.js";
import { said, saidOfJob, saidOfRemark } from "../core/problem.js";
import { State } from "../core/states.js";
import { label, say, tell, tellWith } from "../core/words.js";
import { retryOf } from "./retrying.js";

const SIGNS = {
  [State.RECEIVING]: "upload", [State.QUEUED]: "clock", [State.CONVERTING]: "audio-lines", [State.FAILED]: "circle-alert",
  [State.EXPIRED]: "inbox",
};
const MENU = {
  play: ["jobs.play", "play"],
  download: ["jobs.download", "download"],
  share: ["jobs.share", "share-2"],
  rename: ["jobs.rename", "pencil"],
  retry: ["jobs.again", "rotate-ccw"],
  select: ["jobs.select", "list-checks"],
  delete: ["core.delete", "trash-2"],
};

export class Row {
  #job;
  #isWhole = false;
  #isChosen = false;
  #isPlaying = false;
  #first = ""; // the action on show

  constructor(job) {
    this.element = stamp("job");
    this.element.dataset.id = job.id;
    this.#part("a").href = `/jobs/${job.id}`;
    this.show(job);
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }

  /** Shows the job as it is now. */
  show(job) {
    this.#job = job;
    this.element.dataset.state = job.state;
    this.#part("a").textContent = job.filename;
    if (this.#isWhole) this.#showRest(job);
  }

  /** Shows all of it, and not its name alone. */
  fill() {
    if (this.#isWhole) return;
    this.#isWhole = true;
    this.element.classList.add("whole");
    const [choose, play, sign, facts, ...after] = stamp("job-rest").children;
    const text = this.#part(".job-text");
    text.before(choose, play, sign);
    text.append(facts);
    text.after(...after);
    this.#nameParts();
    this.#showRest(this.#job);
    choose.checked = this.#isChosen;
  }

  /** Leaves its name alone, unless somebody is at it. */
  empty() {
    const isUsed = this.element.contains(document.activeElement) || this.#part(".menu-list, .job-rename, .job-problem:not([hidden])");
    if (!this.#isWhole || isUsed) return;
    this.#isWhole = false;
    this.#first = "";
    this.element.classList.remove("whole");
    this.#part(".job-facts").remove();
    this.element.replaceChildren(this.#part(".job-text"));
  }

  #nameParts() {
    const name = () => this.#job.filename;
    label(this.#part(".job-choose"), "jobs.choose", { name });
    label(this.#part("progress"), "jobs.progress", { name });
    label(this.#part(".remarks"), "jobs.remarks", { name });
    label(this.#part("[data-do=menu]"), "core.of", { what: () => say("jobs.more-actions"), name });
  }

  #showRest(job) {
    tellWith(this.#part(".state"), () => stateOf(job));
    const joined = (facts) => facts.map((fact) => ` · ${fact}`).join("");
    tellWith(this.#part(".job-some"), () => joined(factsOf(job)));
    tellWith(this.#part(".job-rest"), () => joined(restOf(job)));
    this.#showProgress(job);
    this.#showWhy(job);
    this.#showRemarks(job.warnings ?? []);
    this.#showPlay(job);
    this.#showFirst(job);
  }

  #showProgress({ state, progress }) {
    const bar = this.#part("progress");
    bar.hidden = !isActive({ state }) || state === State.QUEUED;
    if (progress) bar.value = progress;
    else bar.removeAttribute("value");
  }

  #showWhy({ state, error }) {
    const why = error ? () => saidOfJob(error) : () => ({ title: say("jobs.expired"), detail: say("jobs.expired.advice") });
    this.#part(".why").hidden = !error && state !== State.EXPIRED;
    tellWith(this.#part(".why-title"), () => why().title);
    tellWith(this.#part(".why-detail"), () => why().detail);
  }

  #showRemarks(warnings) {
    this.#part(".remarks").replaceChildren(...warnings.map((each) => tellWith(make("li"), () => saidOfRemark(each))));
    this.#part(".remarks").hidden = !warnings.length;
  }

  #showPlay(job) {
    const [play, sign] = [this.#part(".job-play"), this.#part(".job-sign")];
    play.hidden = !canPlay(job);
    sign.hidden = !play.hidden;
    sign.querySelector("use").setAttribute("href", `#icon-${isZip(job) ? "file-archive" : (SIGNS[job.state] ?? "x")}`);
    this.#namePlay(play);
  }

  /** Whether it is heard now. */
  showPlaying(isPlaying) {
    this.#isPlaying = isPlaying;
    if (this.#isWhole) this.#namePlay(this.#part(".job-play"));
  }

  #namePlay(play) {
    const isPlaying = this.#isPlaying;
    play.querySelector("use").setAttribute("href", isPlaying ? "#icon-pause" : "#icon-play");
    label(play, "core.of", { what: () => say(isPlaying ? "player.pause" : "jobs.play"), name: this.#job.filename });
  }

  /** The one thing that most people want now; it is left alone while it stays the same. */
  #showFirst(job) {
    const [what, key, symbol] = firstOf(job) ?? ["", ""];
    const made = this.#part(".job-first");
    made.hidden = !what;
    const shown = [what, key, job.filename].join();
    if (!what || this.#first === shown) return;
    this.#first = shown;
    made.dataset.do = what;
    made.replaceChildren(...(symbol ? [icon(symbol)] : []), tell(make("span"), key));
    label(made, "core.of", { what: () => say(key), name: job.filename });
  }

  /** Makes the menu when it is first wanted, and fills it with what there is to do now. */
  prepareMenu() {
    const opener = this.#part("[data-do=menu]");
    const isNew = !opener.nextElementSibling;
    const list = opener.nextElementSibling ?? make("div", "menu-list");
    if (isNew) opener.after(list);
    list.replaceChildren(...menuOf(this.#job).map(itemOf));
    if (isNew) menu(opener, list);
    // At the foot of the window it opens upwards.
    list.classList.toggle("above", opener.getBoundingClientRect().bottom > innerHeight * 0.6);
    return isNew;
  }

  get opener() {
    return this.#part("[data-do=menu]");
  }

  /** Whether it is one of those that are chosen. */
  set isChosen(isChosen) {
    this.#isChosen = isChosen;
    if (this.#isWhole) this.#part(".job-choose").checked = isChosen;
  }

  /** Says in the row what went wrong with it; null for nothing. */
  showProblem(error) {
    this.fill();
    const line = this.#part(".job-problem");
    line.hidden = !error;
    tellWith(line, () => (error ? Object.values(said(error)).join(" ") : ""));
  }

  /** Asks for a new name where the old one is; resolves to it, or to null. */
  askName() {
    const [heading, form] = [this.#part(".job-name"), stamp("job-rename")];
    const input = form.querySelector("input");
    input.value = this.#job.filename;
    heading.hidden = true;
    heading.after(form);
    input.focus();
    input.setSelectionRange(0, this.#job.filename.replace(/\.[^.]+$/, "").length);
    return answered(form, input).finally(() => {
      form.remove();
      heading.hidden = false;
      this.opener.focus();
    });
  }

  focus() {
    this.#part(".job-name a").focus();
  }
}

/** Whether there is an MP3 to be heard. */
export const canPlay = (job) => Boolean(job.links.audio) && !isZip(job);

// The owner asked for a file for each chapter.
const isZip = (job) => Boolean(job.links.audio) && job.options.chapters === "split";

function stateOf(job) {
  const parts = [stateLabel(job.state)];
  if (job.state === State.QUEUED && job.queue_position) return say("jobs.place", { place: job.queue_position });
  if ([State.CONVERTING, State.RECEIVING].includes(job.state) && job.progress) parts.push(percent(job.progress));
  return parts.join(" ");
}

function factsOf(job) {
  if (isActive(job)) return Number.isFinite(job.seconds_left) ? [left(job.seconds_left)] : [];
  const facts = [];
  if (job.duration_seconds) facts.push(duration(job.duration_seconds));
  if (job.links.audio && job.size_bytes) facts.push(bytes(job.size_bytes));
  return facts;
}

// Where there is little room, these are not shown.
function restOf(job) {
  if (isActive(job)) return job.speed ? [say("jobs.speed", { times: Math.round(job.speed) })] : [];
  const dates = [moment(job.created_at)];
  if (job.links.audio && job.expires_at) dates.push(say("jobs.kept-until", { when: day(job.expires_at) }));
  return dates;
}

function firstOf(job) {
  if (job.links.audio) return ["download", "jobs.download", "download"];
  if (job.links.cancel) return ["cancel", "jobs.cancel", "x"];
  if (job.state === State.EXPIRED) return ["upload", "jobs.upload-again", "upload"];
  const again = retryOf(job);
  return again && ["retry", again.key, "rotate-ccw"];
}

function menuOf(job) {
  const found = [];
  if (canPlay(job)) found.push("play", "share");
  else if (job.links.audio) found.push("share");
  if (![State.RECEIVING, State.EXPIRED].includes(job.state)) found.push("rename");
  if (job.links.audio && retryOf(job)) found.push("retry");
  return [...found, "select", "delete"];
}

function itemOf(what) {
  const [key, symbol] = MENU[what];
  const item = make("button", what === "delete" ? "menu-item danger" : "menu-item", icon(symbol), tell(make("span"), key));
  item.type = "button";
  item.dataset.do = what;
  return item;
}

function answered(form, input) {
  return new Promise((resolve) => {
    form.addEventListener("submit", (event) => { event.preventDefault(); resolve(input.value.trim() || null); });
    form.querySelector("[type=button]").addEventListener("click", () => resolve(null));
    form.addEventListener("keydown", (event) => event.key === "Escape" && resolve(null));
  });
}
