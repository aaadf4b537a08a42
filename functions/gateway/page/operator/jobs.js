/** Everybody's conversions, newest first: what has become of each, without what is in it. */

import { byId, guarded, make } from "../core/dom.js";
import { moment, percent, stateLabel } from "../core/format.js";
import { onSubmit } from "../core/forms.js";
import { Pages } from "../core/pages.js";
import { State } from "../core/states.js";
import { has, say, tellWith } from "../core/words.js";
import { look } from "./asking.js";
import { courseButton } from "./course.js";

const PER_PAGE = 10;
const pages = new Pages();

/** Wires the filter. */
export function setUpManaged() {
  for (const state of Object.values(State)) {
    byId("managed-state").append(Object.assign(tellWith(make("option"), () => stateLabel(state)), { value: state }));
  }
  onSubmit(byId("managed-filter"), openManaged);
  byId("managed-state").addEventListener("change", ({ currentTarget }) => guarded(currentTarget, openManaged));
  byId("managed-more").addEventListener("click", ({ currentTarget }) => guarded(currentTarget, more));
}

/** Shows the newest in the state that is asked for. */
export async function openManaged() {
  const state = byId("managed-state").value;
  const items = await pages.first((cursor) => look("jobs", { state, limit: PER_PAGE, cursor }));
  if (!items) return;
  byId("managed").replaceChildren();
  show(items);
}

const more = async () => show((await pages.next()) ?? []);

function show(items) {
  byId("managed").append(...items.map(rowOf));
  byId("managed-more").hidden = pages.isWhole;
  byId("managed-empty").hidden = byId("managed").childElementCount > 0;
}

function rowOf(job) {
  const title = make("th", "ident", job.id);
  title.scope = "row";
  const cells = [() => stateOf(job), () => moment(job.created_at), () => moment(job.updated_at)].map((give, at) => tellWith(make("td", at ? "when" : ""), give));
  return make("tr", "", title, ...cells, make("td", "", courseButton(job.id)));
}

function stateOf({ state, reason, progress }) {
  if (state === State.CONVERTING) return `${stateLabel(state)} ${percent(progress)}`;
  if (!reason) return stateLabel(state);
  return `${stateLabel(state)}: ${has(`reason.${reason}`) ? say(`reason.${reason}`) : reason}`;
}
