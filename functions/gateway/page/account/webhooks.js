/** Webhooks: made, tried, changed and deleted; what was sent to each is in deliveries.js. */

import { ask, askJson, sending } from "../core/api.js";
import { confirmed } from "../core/dialog.js";
import { announce, button, byId, make, stamp } from "../core/dom.js";
import { onSubmit } from "../core/forms.js";
import { has, say, tell, tellWith } from "../core/words.js";
import { openDeliveries } from "./deliveries.js";
import { kindName } from "./notifications.js";
import { secretPanel } from "./secret.js";

const URL = "/v1/webhooks";
const KINDS = ["dev.audiolift.audio.created.v1", "dev.audiolift.conversion.failed.v1"];

let showSecret;

/** Wires the form. */
export function setUpWebhooks() {
  showSecret = secretPanel(byId("hooks-list"), "hooks.made", byId("hooks-title"));
  byId("hook-kinds").append(...KINDS.map(kindBox));
  onSubmit(byId("hook-form"), create, { "bad-request": "hook-url", "too-many-webhooks": "hook-url" });
}

export async function openWebhooks() {
  const { items } = await askJson(URL);
  byId("hooks-list").replaceChildren(...items.map(entryOf));
  byId("hooks-empty").hidden = items.length > 0;
}

function kindBox(kind) {
  const box = make("input");
  Object.assign(box, { type: "checkbox", name: "kind", value: kind, defaultChecked: true });
  return make("label", "check", box, tellWith(make("span"), () => kindName(kind)));
}

async function create() {
  const form = byId("hook-form");
  const events = [...form.querySelectorAll("[name=kind]:checked")].map((box) => box.value);
  const { secret } = await askJson(URL, sending("POST", { url: byId("hook-url").value.trim(), events }));
  form.reset();
  await openWebhooks();
  showSecret(secret);
}

function entryOf(hook) {
  const entry = stamp("hook");
  const part = (name) => entry.querySelector(`.${name}`);
  part("name").textContent = hook.url;
  tell(part("badge"), hook.enabled ? "hooks.on" : "hooks.off").classList.toggle("bad", !hook.enabled);
  tellWith(part("facts"), () => [...hook.events.map(kindName), hook.disabled_reason].filter(Boolean).join(" · "));
  part("actions").append(...actionsOf(hook, entry));
  return entry;
}

function actionsOf(hook, entry) {
  const here = `${URL}/${hook.id}`;
  const act = (key, run, kind = "") => button(key, hook.url, run, { kind });
  return [
    act("hooks.test", () => test(here, entry)),
    act("hooks.log", () => openDeliveries(here, entry.querySelector(".log"))),
    act(hook.enabled ? "hooks.disable" : "hooks.enable", () => change(here, { enabled: !hook.enabled })),
    act("hooks.new-secret", () => renewSecret(here, hook.url)),
    act("core.delete", () => remove(here, hook.url), "danger"),
  ];
}

async function test(here, entry) {
  const { delivered, status, code } = await askJson(`${here}/test`, { method: "POST" });
  const line = entry.querySelector(".outcome");
  // A server of the release before says no code.
  const why = `hooks.failed.${code ?? (status ? "answered" : "no-answer")}`;
  tell(line, delivered ? "hooks.tested" : has(why) ? why : "hooks.failed.no-answer", { status });
  line.classList.toggle("form-problem", !delivered);
  line.hidden = false;
}

async function change(here, wanted) {
  const changed = await askJson(here, sending("PATCH", wanted));
  await openWebhooks();
  byId("hooks-title").focus();
  return changed;
}

async function renewSecret(here, name) {
  if (!(await confirmed("hooks.new-secret.question", { name }, { yes: "hooks.new-secret" }))) return;
  showSecret((await change(here, { new_secret: true })).secret);
}

async function remove(here, name) {
  if (!(await confirmed("hooks.delete.question", { name }))) return;
  await ask(here, { method: "DELETE" });
  await openWebhooks();
  announce(say("hooks.deleted", { name }));
  byId("hooks-title").focus();
}
