/** Videos that lie elsewhere: their address is pasted, and the server fetches them. */

import { askJson } from "../core/api.js";
import { byId } from "../core/dom.js";
import { onSubmit } from "../core/forms.js";
import { Problem } from "../core/problem.js";
import { toast } from "../core/toast.js";

/** Wires the form. `options` gives what to ask for, `onJob` gets the job. */
export function setUpUrl(options, onJob) {
  onSubmit(byId("url-form"), async () => {
    const body = JSON.stringify({ source_url: byId("url").value.trim(), options: options() });
    const job = await askJson("/v1/jobs", { method: "POST", headers: { "Content-Type": "application/json" }, body }).catch(refuse);
    byId("url").value = "";
    onJob(job);
    toast("upload.url.taken", { name: job.filename });
  }, { "refused-url": "url" });
}

// All else in the request is our own.
function refuse(problem) {
  throw problem.code === "bad-request" ? new Problem(400, "refused-url") : problem;
}
