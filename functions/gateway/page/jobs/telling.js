/** What somebody hears of who does not look at the list: in the tab's title, by the screen reader, and from the desktop. */

import { announce, byId } from "../core/dom.js";
import { stateLabel } from "../core/format.js";
import { saidOfRemark } from "../core/problem.js";
import { toast } from "../core/toast.js";
import { count } from "../core/views.js";
import { label, say } from "../core/words.js";

const KEY = "audiolift.notify";
const GATHER_MS = 1000; // what ends together is told together

const atWork = new Set();
let ended = [];
let timer = null;

/** Wires the button that asks for notifications, which browsers want a click for. */
export function setUpTelling() {
  const bell = byId("jobs-bell");
  bell.hidden = !globalThis.Notification;
  bell.addEventListener("click", () => toggle(bell));
  showBell(bell);
}

/** A job is under way, or is not any more. Returns whether it was. */
export function countJob(id, isAtWork) {
  const was = atWork.has(id);
  if (isAtWork) atWork.add(id);
  else atWork.delete(id);
  if (was !== isAtWork) count(atWork.size);
  return was;
}

/** A job has come to its end. */
export function tellEnd(job) {
  ended.push(job);
  timer ??= setTimeout(tellAll, GATHER_MS);
}

function tellAll() {
  const jobs = ended;
  [ended, timer] = [[], null];
  const told = textOf(jobs);
  announce(told);
  if (document.hidden && isOn()) notify(told, jobs);
}

function textOf(jobs) {
  if (jobs.length > 1) return say("jobs.ended", { count: jobs.length });
  const [{ filename, state, warnings = [] }] = jobs;
  return [`${filename}: ${stateLabel(state)}`, ...warnings.map(saidOfRemark)].join(". ");
}

function notify(text, jobs) {
  // The same tag from another tab takes its place.
  const shown = new Notification("audiolift", { body: text, tag: jobs.map(({ id }) => id).join() });
  shown.addEventListener("click", () => { focus(); shown.close(); });
}

async function toggle(bell) {
  if (isOn()) remember("off");
  else if ((await Notification.requestPermission()) === "granted") remember("on");
  else toast("jobs.notify.denied");
  showBell(bell);
}

function showBell(bell) {
  bell.ariaPressed = String(isOn());
  label(bell, "jobs.notify");
}

const isOn = () => globalThis.Notification?.permission === "granted" && stored() === "on";

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // A browser that keeps nothing for this site.
  }
}
