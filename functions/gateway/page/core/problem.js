/** What can go wrong, in words for the person in front of the page. */

import { has, say } from "./words.js";

/**
 * An answer that was an error (RFC 9457), or no answer at all (status 0). `code` is the problem's, and `reason` says more of some:
 * words/ may have a text for them; `title` and `detail` are what the server says, in English.
 */
export class Problem extends Error {
  constructor(status, code, { title = "", detail = "", reason = "" } = {}) {
    super(title || code);
    Object.assign(this, { status, code, title, detail, reason });
  }
}

export const unreachable = () => new Problem(0, "unreachable");

export const sessionOver = () => new Problem(401, "session-over");

/** Whether it is of the network or of a server that is away: the same may work in a moment. */
export const isAway = (problem) => [0, 502, 503, 504].includes(problem?.status);

/** The Problem that the body of an error answer describes; a body that describes none gets plain words. */
export function problemOf(status, text) {
  try {
    const { code = "", ...told } = JSON.parse(text);
    if (told.title) return new Problem(status, code, told);
  } catch {
    // Not JSON: an answer of something between us and the gateway.
  }
  return new Problem(status, "no-problem");
}

/** What to tell of anything that was thrown: {title, detail}, in the reader's language where words/ has it. */
export function said(error) {
  if (error instanceof Problem) return saidOf("problem", error);
  return { title: say("problem.page"), detail: say("problem.page.advice", { message: error.message }) };
}

/** The same for why a job failed: a {code, title, detail, hint} of the API. */
export const saidOfJob = (error) => saidOf("reason", { ...error, reason: error.hint });

/** What to know about an MP3: a {code, text, values} of the API. */
export function saidOfRemark({ code, text, values }) {
  const key = `warning.${code}`;
  return values && has(key) ? say(key, values) : text;
}

function saidOf(area, { code, title, detail, reason, status }) {
  const key = `${area}.${code}`;
  if (!has(key)) return { title: sentence(title), detail };
  const advice = [`${key}.${reason}`, `${key}.advice`].find(has);
  return { title: sentence(say(key)), detail: advice ? say(advice, { status }) : detail };
}

/** A title, ready for the detail to follow it. */
const sentence = (title) => (/[.!?]$/.test(title) ? title : `${title}.`);
