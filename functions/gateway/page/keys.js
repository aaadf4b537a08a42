/** API keys: made, copied once, listed, revoked. A key is on the page only until it is put away. */

import { ask, askJson } from "./api.js";
import { announce, button, byId, confirmed, guarded, stamp } from "./dom.js";
import { moment } from "./format.js";

const DAY_MS = 86_400_000;
const LABELS = { "jobs:read": "see jobs and download", "jobs:write": "upload and change jobs", "account:read": "see the account" };

export function setUpKeys() {
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(byId("key-submit"), make);
  });
  byId("key-copy").addEventListener("click", (event) => guarded(event.currentTarget, copy));
  byId("key-done").addEventListener("click", putAway);
}

export async function openKeys() {
  const { items } = await askJson("/v1/api-keys");
  byId("keys-list").replaceChildren(...items.map(entryOf));
  byId("keys-empty").hidden = items.length > 0;
}

async function make() {
  const form = byId("key-form");
  const days = Number(form.elements.days.value);
  const wanted = {
    name: form.elements.name.value.trim(),
    scopes: [...form.querySelectorAll("[name=scope]:checked")].map((box) => box.value),
    expires_at: days ? new Date(Date.now() + days * DAY_MS).toISOString() : null,
  };
  const headers = { "Content-Type": "application/json" };
  const { key } = await askJson("/v1/api-keys", { method: "POST", headers, body: JSON.stringify(wanted) });
  form.reset();
  byId("key-value").value = key;
  byId("key-made").hidden = false;
  byId("key-value").focus();
  byId("key-value").select();
  await openKeys();
}

async function copy() {
  const field = byId("key-value");
  field.select();
  // Only a page that came by TLS, or from this machine, gets to the clipboard; elsewhere the key is selected.
  if (!navigator.clipboard) return announce("The key is selected: copy it by keyboard.");
  await navigator.clipboard.writeText(field.value);
  return announce("Copied");
}

function putAway() {
  byId("key-value").value = "";
  byId("key-made").hidden = true;
  byId("keys-title").focus();
}

function entryOf({ id, name, start, scopes, expires_at, last_used_at }) {
  const entry = stamp("key");
  const used = last_used_at ? `last used ${moment(last_used_at)}` : "never used";
  const ends = !expires_at ? "does not end" : new Date(expires_at) < new Date() ? "has ended" : `ends ${moment(expires_at)}`;
  entry.querySelector(".name").textContent = name;
  entry.querySelector(".state").textContent = `${start}…`;
  entry.querySelector(".facts").textContent = `May ${scopes.map((scope) => LABELS[scope] ?? scope).join(", ")}; ${used}; ${ends}.`;
  entry.querySelector(".actions").append(button("Revoke", `Revoke ${name}`, () => revoke(id, name), "danger"));
  return entry;
}

async function revoke(id, name) {
  if (!(await confirmed(`Revoke the key “${name}”? What uses it is refused from then on.`))) return;
  await ask(`/v1/api-keys/${id}`, { method: "DELETE" });
  await openKeys();
  announce(`${name} is revoked`);
  byId("keys-title").focus();
}
