/** Requests to the gateway in the name of whoever is signed in. */

import { away } from "./network.js";
import { problemOf, unreachable } from "./problem.js";
import { authorization, renew } from "./session.js";

/**
 * The Response to an authorized request. Throws Problem for errors; a 401 is tried once more with a new token. With the
 * option `scope`, the token is for that alone.
 */
export async function ask(url, options = {}) {
  let answer = await send(url, options);
  if (answer.status === 401) {
    await renew(options.scope);
    answer = await send(url, options);
  }
  if (!answer.ok) throw problemOf(answer.status, await answer.text());
  return answer;
}

/** The JSON that the request answers with, or null if it answers with nothing. */
export async function askJson(url, options) {
  const text = await (await ask(url, options)).text();
  return text ? JSON.parse(text) : null;
}

/** The options of a request that brings JSON. */
export const sending = (method, value) => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

/** A link of the API as a URL of this origin, whatever host name the server knows itself by. */
export function local(link) {
  const { pathname, search } = new URL(link, location.href);
  return pathname + search;
}

async function send(url, { scope, ...options }) {
  const headers = { ...options.headers, Authorization: await authorization(scope) };
  try {
    return await fetch(url, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    away();
    throw unreachable();
  }
}
