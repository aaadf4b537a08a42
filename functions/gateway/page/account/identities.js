/** By which identities of the identity provider one can sign in, too: linked, listed, unlinked. */

import { ask, askJson, sending } from "../core/api.js";
import { announce, button, byId, make } from "../core/dom.js";
import { moment } from "../core/format.js";
import { clearAll, mark, onSubmit } from "../core/forms.js";
import { say, tell, tellWith } from "../core/words.js";
import { leaveToLink, linked, toLink } from "./oidc.js";

const ADDRESS = "/v1/me/identities";
const FIELDS = { "wrong-password": "identities-password", "too-many-attempts": "identities-password" };

/** Wires the form. */
export function setUpIdentities() {
  onSubmit(byId("identities"), () => (toLink() ? link() : leaveToLink()), FIELDS);
}

/** Shows them, where there is a provider or one is linked. */
export async function openIdentities() {
  const [{ items }, { issuer }] = await Promise.all([askJson(ADDRESS), askJson("/v1/oidc")]);
  const form = byId("identities");
  form.hidden = !issuer && !items.length;
  byId("identities-list").replaceChildren(...items.map(lineOf));
  byId("identities-proof").hidden = !items.length && !toLink();
  // To go to the provider takes no password; to come back with one does.
  byId("identities-password").required = Boolean(toLink());
  byId("identities-link").hidden = !issuer;
  if (!issuer) return;
  const host = hostOf(issuer);
  tell(byId("identities-link"), toLink() ? "identities.finish" : "identities.link", { host });
  tell(byId("identities-hint"), toLink() ? "identities.finish.hint" : "identities.hint", { host });
  if (toLink()) byId("identities-password").focus();
}

async function link() {
  await askJson(ADDRESS, sending("POST", { ...toLink(), password: byId("identities-password").value })).catch((problem) => {
    // A code is good once: with any other answer but that the password is wrong, it is used up.
    if (!Object.hasOwn(FIELDS, problem.code)) linked();
    throw problem;
  });
  linked();
  await back("identities.linked");
}

function lineOf({ id, issuer, subject, linked_at }) {
  const name = `${hostOf(issuer)}, ${subject}`;
  const since = tellWith(make("span", "facts"), () => `${subject} · ${say("identities.since", { when: moment(linked_at) })}`);
  const text = make("div", "", make("strong", "", hostOf(issuer)), since);
  return make("li", "", text, button("identities.unlink", name, () => unlink(id)));
}

async function unlink(id) {
  const password = byId("identities-password");
  clearAll(byId("identities"));
  if (!password.value) return wrong("form.missing");
  try {
    await ask(`${ADDRESS}/${id}`, sending("DELETE", { password: password.value }));
  } catch (problem) {
    if (problem.code !== "wrong-password") throw problem;
    return wrong("problem.wrong-password");
  }
  return back("identities.unlinked");
}

function wrong(key) {
  mark(byId("identities-password"), key);
  byId("identities-password").focus();
}

async function back(key) {
  byId("identities").reset();
  await openIdentities();
  byId("identities-title").focus();
  announce(say(key));
}

const hostOf = (issuer) => new URL(issuer).hostname;
