/** The buttons of the rows. One listener for all rows: there may be thousands. What they do is in deeds.js. */

import { guarded } from "../core/dom.js";
import { once } from "../core/late.js";

let list = null;
let deeds = null; // once it is loaded

/** `given` is the list of jobs.js. */
export const setUpRows = (given) => (list = given);

/** Wires all rows that are, or come, in this element. */
export function prepare(element) {
  element.addEventListener("click", onClick);
  // Before a key can open it.
  element.addEventListener("focusin", ({ target }) => target.dataset.do === "menu" && rowOf(target)?.prepareMenu());
}

/** Some are not chosen any more, or none. */
export const unchoose = (ids) => deeds?.unchoose(ids);

function onClick({ target, shiftKey }) {
  const control = target.closest("[data-do]");
  const row = control && rowOf(control);
  if (!row) return;
  const what = control.dataset.do;
  // Where a click gives no focus: the menu that was made just now has not seen it.
  if (what === "menu") return void (row.prepareMenu() && control.click());
  // What is chosen in the menu closes it: the way back is its button.
  if (control.closest(".menu-list")) row.opener.focus();
  if (what !== "choose") row.showProblem(null);
  guarded(control, () => run(control, row, what, shiftKey), (error) => fail(error, row));
}

async function run(control, row, what, shiftKey) {
  const { acts, choose } = await load();
  if (what === "choose") return choose(row.element.dataset.id, control.checked, shiftKey);
  await acts[what]({ job: list.job(row.element.dataset.id), row, list });
}

// Without what it takes to say more, the row says what it can.
const fail = (error, row) => (deeds ? deeds.fail(error, row.element.dataset.id, list) : row.showProblem(error));

const load = once(async () => {
  const made = await import("./deeds.js");
  made.setUpChosen(list);
  deeds = made;
  return made;
});

const rowOf = (control) => list.row(control.closest(".job").dataset.id);
