/** What can go wrong, in words for the person in front of the page. */

/** An answer that was an error (RFC 9457), or no answer at all (status 0). */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(title);
    Object.assign(this, { status, title, detail });
  }
}

export const unreachable = () =>
  new Problem(0, "The server does not answer.", "Check that you are online and audiolift is running, then try again.");

export const sessionOver = () => new Problem(401, "Your session has ended.", "Please sign in again.");

/** The Problem that the body of an error answer describes; a body that describes none gets plain words. */
export function problemOf(status, text) {
  try {
    const { title, detail } = JSON.parse(text);
    if (title) return new Problem(status, title, detail ?? "");
  } catch {
    // Not JSON: an answer of something between us and the gateway.
  }
  return new Problem(status, `The server answered with an error (${status}).`, "Wait a moment and try again.");
}
