/**
 * Who is signed in. The refresh token is a cookie that no script sees; access tokens are in memory, and one tab gets them for all.
 *
 * The state is "unknown" until the server has said who one is, then "in" or "out"; it is "away" while the server does not answer:
 * that ends nothing, and whoever asks next finds out.
 */

import { isAway, problemOf, sessionOver, unreachable } from "./problem.js";

const MARGIN_MS = 60_000; // a token this close to its end is renewed before it is used
const PAUSES_MS = [400, 1600]; // an answer that was lost is asked for again, for a while that the server knows of
const PATIENCE_MS = 20_000; // other tabs wait meanwhile
const NAME = "audiolift.session";
const RENEWAL = "/v1/session/renew";
const BEFORE = "audiolift.refresh_token"; // where the page of the release before this one keeps its refresh token

const others = new BroadcastChannel(NAME);
const listeners = new Set();
const tokens = new Map(); // scope, "" for what every page needs → {token, until, got}
const renewals = new Map(); // the same → the renewal that is under way
let state = "unknown";
let held = null; // {id, user, scopes}: of what the server said last
let changes = 0; // sign-ins and sign-outs: what was asked before one is not for who is here after it

/** "unknown", "in", "out" or "away". */
export const current = () => state;

/** Finds out whether somebody is signed in. Throws Problem while the server does not say. */
export async function begin() {
  if (state !== "in") await renew().catch((problem) => state === "out" || Promise.reject(problem));
  return state === "in";
}

/** Takes it from the server, which has seen no cookie with the request for the page, that nobody is signed in. */
export const nobody = () => end("none");

/** `listener` gets each new state; with "out" also why: there was "none", it is "over", or was ended, as "asked" or "elsewhere". */
export const onState = (listener) => listeners.add(listener);

/** The id of this session, while there is one. */
export const session = () => held?.id;

/** Whether a token for this scope can be had: "admin" is for operators. */
export const may = (scope) => Boolean(held?.scopes.includes(scope));

export const signIn = (email, password) => enter("/v1/session", { email, password });

/** Signs in with what the identity provider sent the browser back with. */
export const signInByCode = (given) => enter("/v1/session/oidc", given);

/** Changes the password, which signs everybody out but this browser. */
export async function changePassword(password, new_password) {
  await enter("/v1/session/password", { password, new_password }, { Authorization: await authorization() });
}

/** Makes an account and signs in; resolves to false if a mail has to be looked for first. */
export async function signUp(email, password) {
  const answer = await postJson("/v1/users", { email, password });
  if (answer.status === 202) return false;
  await signIn(email, password);
  return true;
}

/** Opens the link of a mail that confirms an address, and signs in. */
export async function confirmAddress(token, password) {
  const { email } = await (await postJson("/v1/users/verify", { token, password })).json();
  await signIn(email, password);
}

/** Begins a sign-in by the identity provider: where to go, and what to keep meanwhile. */
export const beginElsewhere = async () => (await postJson("/v1/oidc/start", {})).json();

export const forgetPassword = (email) => postJson("/v1/password/forgot", { email });

export const resetPassword = (token, new_password) => postJson("/v1/password/reset", { token, new_password });

/** Ends the session, in all tabs. Throws Problem if the server cannot be told: then one is still signed in. */
export async function signOut() {
  await alone(() => answered("/v1/session", { method: "DELETE" }));
  await endBefore();
  end("asked");
  others.postMessage(null);
}

async function endBefore() {
  const token = sessionStorage.getItem(BEFORE);
  if (token) await answered("/v1/token/revoke", { method: "POST", body: new URLSearchParams({ token }) });
  sessionStorage.removeItem(BEFORE);
}

/** The header that says who asks, with a token that is good for at least another minute. */
export async function authorization(scope = "") {
  if (!((tokens.get(scope)?.until ?? 0) - Date.now() > MARGIN_MS)) await renew(scope);
  if (!tokens.has(scope)) throw sessionOver();
  return `Bearer ${tokens.get(scope).token}`;
}

/** Gets a new access token. Whoever asks at the same time shares one; so do the tabs, where the browser lets them take turns. */
export function renew(scope = "") {
  const asked = Date.now();
  if (!renewals.has(scope)) {
    const renewal = alone(() => renewed(scope, asked)).finally(() => renewals.delete(scope));
    renewals.set(scope, renewal);
  }
  return renewals.get(scope);
}

async function renewed(scope, asked) {
  if (tokens.get(scope)?.got > asked) return; // by another tab, while this one waited for its turn
  const before = changes;
  try {
    const answer = await persistent(() => postJson(RENEWAL, scope ? { scope } : {}, { signal: AbortSignal.timeout(PATIENCE_MS) }));
    if (before === changes) adopt(await answer.json(), scope);
  } catch (problem) {
    if (before === changes) throw failed(problem);
  }
}

function failed(problem) {
  if (problem.status === 401) {
    end(state === "unknown" && problem.reason !== "over" ? "none" : "over");
    return sessionOver();
  }
  if (isRefusal(problem)) return problem;
  become("away");
  return isAway(problem) ? problem : unreachable();
}

// All else may be otherwise in a moment: a release before this one, which answers here and there, does not even know the address.
const isRefusal = ({ status }) => [400, 401, 403].includes(status);

async function enter(url, body, headers) {
  const answer = await alone(() => postJson(url, body, { headers }));
  changes += 1;
  held = null;
  tokens.clear();
  adopt(await answer.json());
  // Nobody waits for it, nor goes without a session for it.
  endBefore().catch(() => {});
}

/** Goes on with an answer of the server, which another tab may have `heard`. */
function adopt(said, scope = "", heard = false) {
  const user = userOf(said.access_token);
  // The cookie is somebody else's by now. A fresh page, so that nothing of one account is left for the next.
  if (held && held.user !== user) return location.reload();
  held = { id: said.session_id, user, scopes: said.available_scope.split(" ") };
  const got = Date.now();
  tokens.set(scope, { token: said.access_token, until: got + said.expires_in * 1000, got });
  if (!scope && !heard) others.postMessage(said);
  return become("in");
}

// Whoever does not know yet who one is asks the server.
others.addEventListener("message", ({ data }) => state !== "unknown" && (data ? adopt(data, "", true) : end("elsewhere")));

function end(why) {
  changes += 1;
  held = null;
  tokens.clear();
  become("out", why);
}

function become(next, why) {
  if (state === next) return;
  state = next;
  for (const listener of listeners) listener(next, why);
}

/** The subject of an access token (RFC 9068); whether it is sound, the server sees. */
const userOf = (token) => JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sub;

// Locks are for pages that came by TLS, or from this machine; elsewhere the server bears tabs that ask at once.
const alone = (work) => (navigator.locks ? navigator.locks.request(NAME, work) : work());

/** Runs `send` again while the server does not answer it. */
async function persistent(send) {
  for (const pause of PAUSES_MS) {
    try {
      return await send();
    } catch (problem) {
      if (isRefusal(problem)) throw problem;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return send();
}

const postJson = (url, value, { headers = {}, signal } = {}) =>
  answered(url, { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(value), signal });

async function answered(url, options) {
  const answer = await fetch(url, options).catch(() => Promise.reject(unreachable()));
  if (!answer.ok) throw problemOf(answer.status, await answer.text());
  return answer;
}
