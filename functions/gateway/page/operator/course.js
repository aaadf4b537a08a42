/** The course of a conversion: what it went through, each step as a bar along the time that all of it took. */

import { button, byId, make } from "../core/dom.js";
import { stateLabel } from "../core/format.js";
import { onSubmit } from "../core/forms.js";
import { Newest } from "../core/pages.js";
import { ENDED } from "../core/states.js";
import { has, locale, say, tell, tellWith } from "../core/words.js";
import { look } from "./asking.js";

const LEAST = 0.6; // percent of the width: what took no time is seen, too
const UNITS = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"], [1000, "second"], [0, "millisecond"]];
const newest = new Newest();

/** Wires the question for one. */
export function setUpCourse() {
  onSubmit(byId("course-form"), () => openCourse(byId("course-job").value.trim()));
}

/** A button that shows the course of a job. */
export const courseButton = (id) => button("operator.course.show", id, () => openCourse(id), { kind: "quiet" });

/** Shows the course of a job, and goes there. Throws Problem. */
export async function openCourse(id) {
  const found = await newest.ask(look(`jobs/${encodeURIComponent(id)}/timeline`));
  if (!found) return;
  byId("course-job").value = id;
  show(found);
  byId("course-of").focus();
}

function show({ job, steps, trace_ids }) {
  tellWith(byId("course-of"), () => [job.id, stateLabel(job.state), job.reason && reasonName(job.reason)].filter(Boolean).join(" · "));
  const span = spanOf(steps, ENDED.has(job.state));
  byId("course-steps").replaceChildren(...steps.map((step) => entryOf(step, span)));
  tellWith(byId("course-traces"), () => (trace_ids.length ? say("operator.course.traces", { ids: trace_ids.join(", ") }) : ""));
  byId("course").hidden = false;
}

// From the first beginning to the last thing that is known; to now while it goes on.
function spanOf(steps, isOver) {
  const times = steps.flatMap(({ began_at, sent_at, ended_at }) => [began_at, sent_at, ended_at]).filter(Boolean).map(Date.parse);
  const [from, to] = [Math.min(...times), isOver ? Math.max(...times) : Date.now()];
  return { from, to, length: Math.max(to - from, 1) };
}

function entryOf(step, span) {
  const isBad = step.kind === "dead-letter" || step.outcome === "refused";
  const kind = tell(make("span", `badge ${isBad ? "bad" : "dull"}`), `operator.course.${step.kind}`);
  const head = make("p", "step-name", kind, " ", nameOf(step));
  const entry = make("li", `step step-${step.kind}`, head, tellWith(make("p", "facts"), () => factsOf(step).join(" · ")), barOf(step, span));
  if (step.detail) entry.append(make("p", "why", step.detail));
  return entry;
}

const nameOf = ({ kind, name }) => tellWith(make("strong"), () => (kind === "state" ? stateLabel(name) : name));

function factsOf({ kind, name, began_at, sent_at, ended_at, attempts, outcome }) {
  const facts = [exact(began_at)];
  const isMoment = ended_at === began_at || (kind === "dead-letter" && !ended_at);
  if (!isMoment) facts.push(ended_at ? say("operator.course.took", { time: lengthOf(Date.parse(ended_at) - Date.parse(began_at)) }) : say("operator.course.open"));
  if (sent_at) facts.push(say("operator.course.sent", { when: exact(sent_at) }));
  if (attempts) facts.push(say("operator.course.attempts", { count: attempts }));
  if (outcome) facts.push(outcomeName(kind, outcome));
  return facts;
}

function barOf({ began_at, ended_at, kind }, { from, to, length }) {
  const [begun, ended] = [Date.parse(began_at), ended_at ? Date.parse(ended_at) : kind === "dead-letter" ? Date.parse(began_at) : to];
  const bar = make("span", ended_at ? "" : "open");
  const [start, width] = [(100 * (begun - from)) / length, Math.max(LEAST, (100 * (ended - begun)) / length)];
  bar.style.insetInlineStart = `${Math.min(start, 100 - LEAST)}%`;
  bar.style.width = `${Math.min(width, 100 - Math.min(start, 100 - LEAST))}%`;
  const track = make("div", "step-bar", bar);
  track.ariaHidden = "true";
  return track;
}

/** 83,000 → "1.4 min": of what takes milliseconds and of what takes days. */
function lengthOf(ms) {
  const [size, unit] = UNITS.find(([each]) => ms >= each);
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 }).format(ms / (size || 1));
}

// To the millisecond: most steps are short.
const exact = (time) => new Intl.DateTimeFormat(locale(), { dateStyle: "short", timeStyle: "medium" }).format(new Date(time)) + `.${time.slice(20, 23)}`;

function outcomeName(kind, outcome) {
  const key = kind === "notice" ? `hooks.outcome.${outcome}` : `operator.letters.state.${outcome}`;
  return has(key) ? say(key) : outcome;
}

const reasonName = (reason) => (has(`reason.${reason}`) ? say(`reason.${reason}`) : reason);
