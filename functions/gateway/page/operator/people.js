/** Users and what they use; one can be suspended, and let in again. */

import { confirmed } from "../core/dialog.js";
import { button, byId, guarded, make } from "../core/dom.js";
import { bytes, moment } from "../core/format.js";
import { onSubmit } from "../core/forms.js";
import { toast } from "../core/toast.js";
import { locale, tell, tellWith } from "../core/words.js";
import { act, look } from "./asking.js";

const PER_PAGE = 20;
let cursor = null;
let asked = 0; // only the answer to the newest question is shown

/** Wires the search. */
export function setUpPeople() {
  onSubmit(byId("people-search"), openPeople);
  byId("people-more").addEventListener("click", ({ currentTarget }) => guarded(currentTarget, () => more()));
}

/** Shows the newest whose address begins as is asked for. */
export async function openPeople() {
  cursor = null;
  await more({ anew: true });
}

async function more({ anew = false } = {}) {
  const email = byId("people-email").value.trim();
  const turn = ++asked;
  const { items, next_cursor } = await look("users", { email, limit: PER_PAGE, cursor });
  if (turn !== asked) return;
  if (anew) byId("people").replaceChildren();
  byId("people").append(...items.map(rowOf));
  cursor = next_cursor;
  byId("people-more").hidden = !cursor;
  byId("people-empty").hidden = byId("people").childElementCount > 0;
}

function rowOf(person) {
  const title = make("th", "", person.email, ...marksOf(person));
  title.scope = "row";
  const numbers = [person.jobs, person.live_jobs].map((count) => cell(() => new Intl.NumberFormat(locale()).format(count)));
  const rest = [cell(() => bytes(person.stored_bytes)), cell(() => String(person.api_keys)), cell(() => moment(person.created_at), "")];
  return make("tr", "", title, ...numbers, ...rest, make("td", "", switchOf(person)));
}

const cell = (give, kind = "number") => tellWith(make("td", kind), give);

function marksOf({ operator, suspended }) {
  const marks = [operator && ["operator.people.operator", "badge"], suspended && ["operator.people.suspended", "badge bad"]];
  return marks.filter(Boolean).flatMap(([key, kind]) => [" ", tell(make("span", kind), key)]);
}

function switchOf({ id, email, suspended }) {
  const deed = suspended ? "resume" : "suspend";
  return button(`operator.people.${deed}`, email, () => change(id, email, deed), { kind: suspended ? "" : "danger" });
}

async function change(id, email, deed) {
  const key = `operator.people.${deed}`;
  if (deed === "suspend" && !(await confirmed("operator.people.suspend.question", { email }, { yes: key, no: "core.cancel" }))) return;
  await act(`users/${id}/${deed}`);
  toast(`${key}.done`, { email });
  await openPeople();
}
