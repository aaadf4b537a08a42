/** The way out: a fresh page, so that nothing of one account is left for the next, not even in answers still to come. */

import { signOut } from "./session.js";

const questions = [];
let isGone = false;

/** What the address says when the session has ended by itself. */
export const SESSION_OVER = "?session=over";

/** Loads the page anew. Whose session has ended comes back to where they were. */
export function leave(search = "") {
  isGone = true;
  location.replace((search ? location.pathname : "/") + search);
}

/** Whether the page is being left, so that nobody need be asked any more. */
export const isLeaving = () => isGone;

/** `ask` is called before anybody signs out, and resolves to whether they may: what is under way might stop. */
export const beforeSignOut = (ask) => questions.push(ask);

/** Asks what there is to ask before somebody signs out; resolves to whether they may. */
export async function mayLeave() {
  for (const ask of questions) if (!(await ask())) return false;
  return true;
}

export async function signOutAndLeave() {
  await signOut();
  leave();
}
