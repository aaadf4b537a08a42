/** Refused events: events of ours that the broker does not take. Looked into, and sent again: one, or all. */

import { sending } from "../core/api.js";
import { confirmed } from "../core/dialog.js";
import { button, byId, guarded, stamp } from "../core/dom.js";
import { moment } from "../core/format.js";
import { Pages } from "../core/pages.js";
import { toast } from "../core/toast.js";
import { say, tell, tellWith } from "../core/words.js";
import { act, look } from "./asking.js";
import { courseButton } from "./course.js";

const PER_PAGE = 20;
const pages = new Pages();

/** Wires what is for all of them. */
export function setUpRefused() {
  byId("refused-more").addEventListener("click", ({ currentTarget }) => guarded(currentTarget, more));
  byId("refused-send").addEventListener("click", ({ currentTarget }) => guarded(currentTarget, sendAll));
}

/** Shows the newest. */
export async function openRefused() {
  const items = await pages.first((cursor) => look("events", { limit: PER_PAGE, cursor }));
  if (!items) return;
  byId("refused").replaceChildren();
  show(items);
}

const more = async () => show((await pages.next()) ?? []);

function show(items) {
  byId("refused").append(...items.map(entryOf));
  byId("refused-more").hidden = pages.isWhole;
  byId("refused-empty").hidden = byId("refused").childElementCount > 0;
  byId("refused-send").hidden = !byId("refused").childElementCount;
}

function entryOf(event) {
  const entry = stamp("dead-letter");
  const part = (name) => entry.querySelector(`.${name}`);
  part("name").textContent = event.type;
  tell(part("badge"), event.set_aside_at ? "operator.refused.aside" : "operator.refused.tried");
  tellWith(part("facts"), () => factsOf(event).join(" · "));
  part("why").textContent = event.reason;
  part("content").textContent = JSON.stringify(event.data, null, 2);
  part("actions").append(button("operator.refused.send", event.id, () => send({ ids: [event.id] })));
  if (event.job_id) part("actions").append(courseButton(event.job_id));
  return entry;
}

// That of a mail about an account has no job.
function factsOf({ created_at, job_id, attempts }) {
  return [moment(created_at), job_id, say("operator.course.attempts", { count: attempts })].filter(Boolean);
}

async function sendAll() {
  if (await confirmed("operator.refused.send.question", {}, { yes: "operator.refused.send.all", no: "core.cancel" })) await send({ all: true });
}

async function send(which) {
  const { wanted } = await act("events/send", sending("POST", which));
  toast("operator.refused.send.done", { count: wanted });
  await openRefused();
}
