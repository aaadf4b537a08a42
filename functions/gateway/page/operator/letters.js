/** Dead letters: what the broker gave up on. Looked into, replayed and settled: one, those that a filter finds, or all. */

import { sending } from "../core/api.js";
import { confirmed } from "../core/dialog.js";
import { button, byId, guarded, stamp } from "../core/dom.js";
import { moment } from "../core/format.js";
import { onSubmit } from "../core/forms.js";
import { Pages } from "../core/pages.js";
import { toast } from "../core/toast.js";
import { has, say, tellWith } from "../core/words.js";
import { act, look } from "./asking.js";
import { courseButton } from "./course.js";
import { contentOf } from "./payload.js";

const PER_PAGE = 20;
const FILTERS = ["state", "type", "source", "job_id"];
const pages = new Pages();
let found = {}; // the filter of what is shown

/** Wires the filter, and the buttons for all that it finds. */
export function setUpLetters() {
  const form = byId("letters-filter");
  onSubmit(form, openLetters);
  form.addEventListener("reset", () => setTimeout(() => guarded(form, openLetters)));
  byId("letters-more").addEventListener("click", ({ currentTarget }) => guarded(currentTarget, more));
  for (const deed of ["replay", "settle"]) {
    byId(`letters-${deed}`).addEventListener("click", ({ currentTarget }) => guarded(currentTarget, () => onFound(deed)));
  }
}

/** Shows the newest that the filter finds. */
export async function openLetters() {
  const wanted = filter();
  const items = await pages.first((cursor) => look("dead-letters", { ...wanted, limit: PER_PAGE, cursor }));
  if (!items) return;
  found = wanted;
  byId("letters").replaceChildren();
  show(items);
}

const more = async () => show((await pages.next()) ?? []);

function show(items) {
  byId("letters").append(...items.map(entryOf));
  byId("letters-more").hidden = pages.isWhole;
  byId("letters-empty").hidden = byId("letters").childElementCount > 0;
  for (const deed of ["replay", "settle"]) byId(`letters-${deed}`).disabled = !byId("letters").childElementCount;
}

function filter() {
  const { elements } = byId("letters-filter");
  const given = FILTERS.map((name) => [name, elements[name].value.trim()]);
  return Object.fromEntries(given.filter(([, value]) => value));
}

function entryOf(letter) {
  const entry = stamp("dead-letter");
  const part = (name) => entry.querySelector(`.${name}`);
  part("name").textContent = letter.type || letter.id;
  tellWith(part("badge"), () => stateName(letter.state));
  tellWith(part("facts"), () => factsOf(letter).join(" · "));
  part("why").textContent = [letter.reason, letter.note].filter(Boolean).join(" · ");
  const content = entry.querySelector("details");
  content.addEventListener("toggle", () => content.open && guarded(content, () => fill(letter, part("content"))));
  part("actions").append(...["replay", "settle"].map((deed) => button(`operator.letters.${deed}`, letter.id, () => onOne(deed, letter.id))));
  if (letter.job_id) part("actions").append(courseButton(letter.job_id));
  return entry;
}

function factsOf({ source, job_id, replays, recorded_at }) {
  const facts = [moment(recorded_at), source, job_id];
  if (replays) facts.push(say("operator.letters.replays", { count: replays }));
  return facts.filter(Boolean);
}

const stateName = (state) => (has(`operator.letters.state.${state}`) ? say(`operator.letters.state.${state}`) : state);

async function fill(letter, place) {
  if (!place.textContent) place.textContent = contentOf(await look(`dead-letters/${letter.id}/content`));
}

const onOne = (deed, id) => run(deed, { ids: [id] });

async function onFound(deed) {
  const all = !Object.keys(found).length;
  const question = all ? `operator.letters.${deed}.all` : `operator.letters.${deed}.found`;
  if (!(await confirmed(question, {}, { yes: `operator.letters.${deed}` }))) return;
  await run(deed, all ? { all: true } : found);
}

async function run(deed, chosen) {
  const done = await act(`dead-letters/${deed}`, sending("POST", chosen));
  toast(`operator.letters.${deed}.done`, { count: done.wanted ?? done.settled, cut: done.cut ?? 0 });
  await openLetters();
}
