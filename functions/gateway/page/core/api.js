/** Requests to the gateway in the name of whoever is signed in. */

import { problemOf, unreachable } from "./problem.js";
import { authorization, renew } from "./session.js";

/** The Response to an authorized request. Throws Problem for errors; a 401 is tried once more with a new token. */
export async function ask(url, options = {}) {
  let answer = await send(url, options);
  if (answer.status === 401) {
    await renew();
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

/** A link of the API as a URL of this origin, whatever host name the server knows itself by. */
export function local(link) {
  const { pathname, search } = new URL(link, location.href);
  return pathname + search;
}

async function send(url, options) {
  const headers = { ...options.headers, Authorization: await authorization() };
  try {
    return await fetch(url, { ...options, headers });
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }
}
