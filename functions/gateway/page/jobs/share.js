/** Links to an MP3 for others: made with an end, listed, copied and revoked. */

import { ask, askJson, local } from "../core/api.js";
import { confirmed, opened } from "../core/dialog.js";
import { button, byId, guarded, make } from "../core/dom.js";
import { moment } from "../core/format.js";
import { said } from "../core/problem.js";
import { label, say, tell, tellWith } from "../core/words.js";

const DAY_MS = 86_400_000;
let of = null; // the job

byId("share-form").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(event.submitter, create, fail);
});
byId("share-revoke-all").addEventListener("click", ({ currentTarget }) => guarded(currentTarget, revokeAll, fail));

/** Shows the links of a job, until the dialog is closed. */
export async function share(job) {
  of = job;
  tell(byId("share-title"), "share.title", { name: job.filename });
  byId("share-problem").hidden = true;
  await load();
  await opened(byId("share"));
}

const address = () => `${local(of.links.self)}/links`;

async function load() {
  const { items } = await askJson(address());
  byId("share-links").replaceChildren(...items.map(shown));
  byId("share-revoke-all").hidden = !items.length;
}

async function create() {
  byId("share-problem").hidden = true;
  const days = Number(byId("share-days").value);
  const ends = days ? { expires_at: new Date(Date.now() + days * DAY_MS).toISOString() } : {};
  const headers = { "Content-Type": "application/json" };
  await askJson(address(), { method: "POST", headers, body: JSON.stringify(ends) });
  await load();
  byId("share-links").querySelector("button")?.focus();
}

async function revoke({ id }) {
  await ask(`${address()}/${id}`, { method: "DELETE" });
  await load();
  byId("share-days").focus();
}

async function revokeAll() {
  if (!(await confirmed("share.revoke-all.question", {}, { yes: "share.revoke-all", no: "share.close" }))) return;
  await ask(address(), { method: "DELETE" });
  await load();
  byId("share-days").focus();
}

function shown(link) {
  const ends = moment(link.expires_at);
  const address = Object.assign(make("input"), { value: new URL(local(link.url), location.href).href, readOnly: true });
  label(address, "share.link", { when: ends });
  const copy = button("share.copy", ends, () => copied(address, copy), { symbol: "copy" });
  const end = button("share.revoke", ends, () => revoke(link).catch(fail), { kind: "quiet" });
  return make("li", "", address, tell(make("p", "hint"), "share.ends", { when: ends }), make("div", "actions", copy, end));
}

// Browsers let a page copy only where the connection is safe.
async function copied(address, copy) {
  address.select();
  const done = await navigator.clipboard?.writeText(address.value).then(() => true, () => false);
  tellWith(copy.querySelector("span"), () => say(done ? "share.copied" : "share.selected"));
  if (!done) address.focus();
}

function fail(error) {
  const { title, detail } = said(error);
  byId("share-problem").textContent = `${title} ${detail}`;
  byId("share-problem").hidden = false;
}
