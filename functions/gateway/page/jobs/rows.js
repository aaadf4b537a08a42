/** What the buttons of a row do. One listener for all rows: there may be thousands. */

import { confirmed } from "../core/dialog.js";
import { announce, byId, guarded } from "../core/dom.js";
import { go } from "../core/views.js";
import { say } from "../core/words.js";
import { change, discard, download, rename, retry } from "./actions.js";
import { choose } from "./chosen.js";
import { fail } from "./failing.js";
import { player } from "./player.js";
import { retryOf } from "./retrying.js";
import { share } from "./share.js";

const acts = {
  play: ({ job }) => player.toggle(job),
  download: ({ job }) => download(job),
  share: ({ job }) => share(job),
  cancel: async ({ job, list }) => list.take(await change(job.links.cancel)),
  retry: async ({ job, list }) => list.take(await retry(job, retryOf(job))),
  rename: renamed,
  delete: deleted,
  upload: uploadAgain,
  select: ({ row }) => { row.box.checked = true; choose(row.box); },
};

/** Wires all rows that are, or come, in this element. */
export function prepare(element, list) {
  element.addEventListener("click", (event) => onClick(event, list));
  // Before a key can open it.
  element.addEventListener("focusin", ({ target }) => target.dataset.do === "menu" && rowOf(target, list)?.prepareMenu());
}

function onClick(event, list) {
  const control = event.target.closest("[data-do]");
  const row = control && rowOf(control, list);
  if (!row) return;
  const what = control.dataset.do;
  if (what === "choose") return choose(control, event.shiftKey);
  // Where a click gives no focus: the menu that was made just now has not seen it.
  if (what === "menu") return void (row.prepareMenu() && control.click());
  run(control, row, what, list);
}

function run(control, row, what, list) {
  const { id } = row.element.dataset;
  // What is chosen in the menu closes it: the way back is its button.
  if (control.closest(".menu-list")) row.opener.focus();
  row.showProblem(null);
  return guarded(control, () => acts[what]({ job: list.job(id), row, list }), (error) => fail(error, id, list));
}

const rowOf = (control, list) => list.row(control.closest(".job").dataset.id);

async function renamed({ job, row, list }) {
  const name = await row.askName();
  if (name && name !== job.filename) list.take(await rename(job, name));
}

async function deleted({ job, list }) {
  if (!(await confirmed("jobs.delete.question", { name: job.filename }))) return;
  await discard(job);
  list.gone([job.id]);
  announce(say("jobs.deleted", { name: job.filename }));
}

async function uploadAgain() {
  await go("/");
  byId("add-title").scrollIntoView({ block: "center" });
  byId("files").focus();
}
