/** Who is signed in: the access token in memory, the refresh token in this tab's sessionStorage. */

import { problemOf, sessionOver, unreachable } from "./problem.js";

const KEY = "audiolift.refresh_token";
const MARGIN_MS = 60_000; // a token this close to its end is renewed before it is used

let access = null; // {token, until, session}
let renewal = null; // the refresh under way, if any
let ended = () => {};

export const remembered = () => sessionStorage.getItem(KEY) !== null;

/** `listener` is called when the session ends without the person having asked for it. */
export function onSessionOver(listener) {
  ended = listener;
}

// All that the page does: an operator's tab holds no token for more.
const SCOPE = "jobs:read jobs:write account:read account:write";

export const signIn = (username, password) => grant({ grant_type: "password", username, password, scope: SCOPE });

/** Signs in with what the identity provider sent the browser back with. */
export async function signInByCode(given) {
  adopt(await (await postJson("/v1/oidc/callback", given)).json());
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

export const forgetPassword = (email) => postJson("/v1/password/forgot", { email });

export const resetPassword = (token, new_password) => postJson("/v1/password/reset", { token, new_password });

/** Ends the session; this tab forgets it even if the server cannot be told. */
export async function signOut() {
  const token = sessionStorage.getItem(KEY);
  forget();
  if (token) await post("/v1/token/revoke", new URLSearchParams({ token })).catch(() => {});
}

/** Goes on with the tokens of this answer. */
export function adopt({ access_token, expires_in, refresh_token, session_id }) {
  access = { token: access_token, until: Date.now() + expires_in * 1000, session: session_id };
  sessionStorage.setItem(KEY, refresh_token);
}

/** The id of this session, once there was a request. */
export const session = () => access?.session;

function forget() {
  access = null;
  sessionStorage.removeItem(KEY);
}

/** The header that says who asks, with a token that is good for at least another minute. */
export async function authorization() {
  if (!access || access.until - Date.now() < MARGIN_MS) await renew();
  return `Bearer ${access.token}`;
}

/** Gets a new access token. Refresh tokens work once, so everybody who asks at the same time shares one refresh. */
export function renew() {
  renewal ??= refresh().finally(() => (renewal = null));
  return renewal;
}

async function refresh() {
  try {
    if (!remembered()) throw sessionOver();
    await grant({ grant_type: "refresh_token", refresh_token: sessionStorage.getItem(KEY) });
  } catch (problem) {
    throw [400, 401].includes(problem.status) ? over() : problem;
  }
}

function over() {
  forget();
  ended();
  return sessionOver();
}

const grant = (form) => take(post("/v1/token", new URLSearchParams(form)));

async function take(asked) {
  const answer = await asked;
  if (!answer.ok) throw problemOf(answer.status, await answer.text());
  adopt(await answer.json());
}

async function postJson(url, value) {
  const answer = await post(url, JSON.stringify(value), "application/json");
  if (!answer.ok) throw problemOf(answer.status, await answer.text());
  return answer;
}

export function post(url, body, type) {
  const headers = type ? { "Content-Type": type } : {};
  return fetch(url, { method: "POST", headers, body }).catch(() => Promise.reject(unreachable()));
}
