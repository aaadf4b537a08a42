/** Users and what they use; one can be suspended, and let in again. */

import { confirmed } from "../core/dialog.js";
import { button, byId, guarded, make } from "../core/dom.js";
import { bytes, day } from "../core/format.js";
import { onSubmit } from "../core/forms.js";
import { account } from "../core/header.js";
import { Pages } from "../core/pages.js";
import { toast } from "../core/toast.js";
import { locale, say, tell, tellWith } from "../core/words.js";
import { act, look } from "./asking.js";

const PER_PAGE = 20;
const pages = new Pages();

/** Wires the search. */
export function setUpPeople() {
  onSubmit(byId("people-search"), openPeople);
  byId("people-more").addEventListener("click", ({ currentTarget }) => guarded(currentTarget, more));
}

/** Shows the newest whose address begins as is asked for. */
export async function openPeople() {
  const email = byId("people-email").value.trim();
  const items = await pages.first((cursor) => look("users", { email, limit: PER_PAGE, cursor }));
  if (!items) return;
  byId("people").replaceChildren();
  show(items);
}

const more = async () => show((await pages.next()) ?? []);

function show(items) {
  byId("people").append(...items.map(rowOf));
  byId("people-more").hidden = pages.isWhole;
  byId("people-empty").hidden = byId("people").childElementCount > 0;
}

function rowOf(person) {
  const title = make("th", "", person.email, ...marksOf(person));
  title.scope = "row";
  const { jobs, live_jobs, stored_bytes, minutes_today, api_keys, created_at, quotas } = person;
  const has = [
    [() => number(jobs)],
    [() => number(live_jobs), quotas.jobs && (() => number(quotas.jobs))],
    [() => bytes(stored_bytes), quotas.stored_bytes && (() => bytes(quotas.stored_bytes))],
    [() => number(Math.round(minutes_today)), quotas.minutes_a_day && (() => number(quotas.minutes_a_day))],
    [() => number(api_keys)],
  ].map(([has, may]) => cell(() => (may ? say("quota.of", { has: has(), may: may() }) : has())));
  return make("tr", "", title, ...has, cell(() => day(created_at), "when"), make("td", "", ...switchesOf(person)));
}

const number = (count) => new Intl.NumberFormat(locale()).format(count);
const cell = (give, kind = "number") => tellWith(make("td", kind), give);

function marksOf({ operator, suspended }) {
  const marks = [operator && ["operator.people.operator", "badge"], suspended && ["operator.people.suspended", "badge bad"]];
  return marks.filter(Boolean).flatMap(([key, kind]) => [" ", tell(make("span", kind), key)]);
}

function switchesOf({ id, email, suspended }) {
  if (id === account()?.id) return []; // nobody suspends themselves
  const deed = suspended ? "resume" : "suspend";
  return [button(`operator.people.${deed}`, email, () => change(id, email, deed), { kind: suspended ? "" : "danger" })];
}

async function change(id, email, deed) {
  const key = `operator.people.${deed}`;
  if (deed === "suspend" && !(await confirmed("operator.people.suspend.question", { email }, { yes: key, no: "core.cancel" }))) return;
  await act(`users/${id}/${deed}`);
  toast(`${key}.done`, { email });
  await openPeople();
}
