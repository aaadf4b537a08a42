/** API keys: made, copied once, listed, revoked. A key is on the page only until it is put away. */

import { ask, askJson, sending } from "../core/api.js";
import { confirmed } from "../core/dialog.js";
import { announce, button, byId, stamp } from "../core/dom.js";
import { moment } from "../core/format.js";
import { onSubmit } from "../core/forms.js";
import { has, say, tell } from "../core/words.js";
import { secretPanel } from "./secret.js";

const DAY_MS = 86_400_000;

let showKey;

export function setUpKeys() {
  onSubmit(byId("key-form"), make);
  showKey = secretPanel(byId("keys-list"), "keys.made", byId("keys-title"));
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
  const { key } = await askJson("/v1/api-keys", sending("POST", wanted));
  form.reset();
  showKey(key);
  await openKeys();
}

function entryOf({ id, name, start, scopes, expires_at, last_used_at }) {
  const entry = stamp("key");
  entry.querySelector(".name").textContent = name;
  entry.querySelector(".state").textContent = `${start}…`;
  tell(entry.querySelector(".facts"), "keys.facts", {
    scopes: () => scopes.map(scopeName).join(", "),
    used: () => (last_used_at ? say("keys.used", { when: moment(last_used_at) }) : say("keys.unused")),
    ends: () => endOf(expires_at),
  });
  entry.querySelector(".actions").append(button("keys.revoke", name, () => revoke(id, name), { kind: "danger" }));
  return entry;
}

const scopeName = (scope) => (has(`keys.may.${scope}`) ? say(`keys.may.${scope}`) : scope);

function endOf(time) {
  if (!time) return say("keys.endless");
  return new Date(time) < new Date() ? say("keys.ended") : say("keys.ends", { when: moment(time) });
}

async function revoke(id, name) {
  if (!(await confirmed("keys.revoke.question", { name }, { yes: "keys.revoke" }))) return;
  await ask(`/v1/api-keys/${id}`, { method: "DELETE" });
  await openKeys();
  announce(say("keys.revoked", { name }));
  byId("keys-title").focus();
}
