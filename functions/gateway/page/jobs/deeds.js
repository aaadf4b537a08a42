/** What the buttons of a row do, and the bar of those that are chosen. Loaded when the first of them is wanted. */

import { confirmed } from "../core/dialog.js";
import { announce, byId } from "../core/dom.js";
import { go } from "../core/views.js";
import { say } from "../core/words.js";
import { change, discard, download, rename, retry } from "./actions.js";
import { choose, setUpChosen, unchoose } from "./chosen.js";
import { fail } from "./failing.js";
import { togglePlaying } from "./playing.js";
import { retryOf } from "./retrying.js";

export { choose, fail, setUpChosen, unchoose };

/** By the data-do of a button; each gets {job, row, list}. */
export const acts = {
  play: ({ job }) => togglePlaying(job),
  download: ({ job }) => download(job),
  share: async ({ job }) => (await import("./share.js")).share(job),
  cancel: async ({ job, list }) => list.take(await change(job.links.cancel)),
  retry: async ({ job, list }) => list.take(await retry(job, retryOf(job))),
  rename: renamed,
  delete: deleted,
  upload: uploadAgain,
  select: ({ job }) => choose(job.id, true),
};

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
