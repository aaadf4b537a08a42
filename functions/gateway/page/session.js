/** Who is signed in: the access token in memory, the refresh token in this tab's sessionStorage. */

import { problemOf, sessionOver, unreachable } from "./problem.js";

const KEY = "audiolift.refresh_token";
const MARGIN_MS = 60_000; // a token this close to its end is renewed before it is used

let access = null; // {token, until}
let renewal = null; // the refresh under way, if any
let ended = () => {};

export const remembered = () => sessionStorage.getItem(KEY) !== null;

/** `listener` is called when the session ends without the person having asked for it. */
export function onSessionOver(listener) {
  ended = listener;
}

export const signIn = (username, password) => grant({ grant_type: "password", username, password });

export const signInByCode = (given) => take(post("/v1/oidc/callback", JSON.stringify(given), "application/json"));

export async function signUp(email, password) {
  const answer = await post("/v1/users", JSON.stringify({ email, password }), "application/json");
  if (!answer.ok) throw problemOf(answer.status, await answer.text());
  await signIn(email, password);
}

export function signOut() {
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
  signOut();
  ended();
  return sessionOver();
}

const grant = (form) => take(post("/v1/token", new URLSearchParams(form)));

async function take(asked) {
  const answer = await asked;
  if (!answer.ok) throw problemOf(answer.status, await answer.text());
  const { access_token, expires_in, refresh_token } = await answer.json();
  access = { token: access_token, until: Date.now() + expires_in * 1000 };
  sessionStorage.setItem(KEY, refresh_token);
}

export function post(url, body, type) {
  const headers = type ? { "Content-Type": type } : {};
  return fetch(url, { method: "POST", headers, body }).catch(() => Promise.reject(unreachable()));
}
