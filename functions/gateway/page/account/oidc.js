/**
 * Sign-in by an identity provider: this tab goes there, and comes back with a code in its address.
 *
 * What the tab keeps meanwhile proves that it was this tab that began: a code that somebody else made it come back with
 * is not looked at.
 */

import { byId, guarded } from "../core/dom.js";
import { Problem } from "../core/problem.js";
import { beginElsewhere, signInByCode } from "../core/session.js";
import { tell } from "../core/words.js";

const KEY = "audiolift.sign_in";
const ACCOUNT = "/account";

let brought = null; // what the tab has come back with to link an identity: until it is used, or the tab goes elsewhere

/** What `POST /v1/me/identities` takes beside the password, if somebody has just come back to link an identity. */
export const toLink = () => brought;

/** It is used. */
export const linked = () => (brought = null);

/** Offers the sign-in, if there is a provider. */
export async function offerProvider() {
  const answer = await fetch("/v1/oidc").catch(() => null);
  const issuer = answer?.ok ? (await answer.json()).issuer : null;
  if (!issuer) return;
  const button = byId("sign-in-elsewhere");
  tell(button, "signin.elsewhere", { host: new URL(issuer).hostname });
  button.addEventListener("click", () => guarded(button, () => leave()));
  button.hidden = false;
}

/** Goes to the provider, to come back with an identity that is to open this account, too. */
export const leaveToLink = () => leave({ links: true });

/** Ends the sign-in that the tab comes back from; false when it comes from none. Throws Problem. */
export async function comeBack() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state")) return false;
  const begun = JSON.parse(sessionStorage.getItem(KEY));
  // A code has no place in the history.
  history.replaceState(null, "", begun?.links ? ACCOUNT : "/");
  sessionStorage.removeItem(KEY);
  if (begun?.state !== answer.get("state")) {
    throw new Problem(400, "not-begun-here");
  }
  if (!answer.has("code")) throw new Problem(400, "not-agreed");
  const { nonce, code_verifier } = begun;
  const given = { code: answer.get("code"), iss: answer.get("iss") ?? undefined, nonce, code_verifier };
  if (begun.links) brought = given;
  else await signInByCode(given);
  return true;
}

async function leave(more = {}) {
  const { authorization_url, ...kept } = await beginElsewhere();
  sessionStorage.setItem(KEY, JSON.stringify({ ...kept, ...more }));
  location.assign(authorization_url);
}
