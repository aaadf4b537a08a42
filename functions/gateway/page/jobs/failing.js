/** What went wrong with a job is said where it is. */

import { announce } from "../core/dom.js";
import { State } from "../core/states.js";
import { toast } from "../core/toast.js";
import { look } from "./actions.js";

/** Shows in its row what went wrong with a job: one that is gone goes, one that has expired says so. */
export async function fail(error, id, list) {
  const job = list.job(id);
  if (!job) return;
  if (error.status === 404) {
    const isGone = await look(job).then((now) => void list.take(now), ({ status }) => status === 404);
    if (isGone) return lost(job, list);
  }
  if ([409, 410].includes(error.status)) await look(job).then(list.take, () => {});
  const row = list.row(id);
  if (error.status === 410 && list.job(id).state === State.EXPIRED) return expired(row);
  row?.showProblem(error);
  const line = row?.element.querySelector(".job-problem");
  if (line) announce(line.textContent);
}

// It says so itself now; the button that was pressed is gone.
function expired(row) {
  row.focus();
  announce(row.element.querySelector(".why").textContent);
}

function lost(job, list) {
  list.gone([job.id]);
  toast("jobs.gone", { name: job.filename });
}
