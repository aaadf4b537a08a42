/** Small helpers around the document; text from outside only ever enters it as text. */

import { icon } from "./icons.js";
import { said } from "./problem.js";
import { label, say, tell } from "./words.js";

const LINES_KEPT = 4;

export const byId = (id) => document.getElementById(id);

/** A fresh copy of the one element inside the template with this id. */
export const stamp = (id) => byId(id).content.firstElementChild.cloneNode(true);

/** A new element with a class and children: nodes, or texts that were said before. */
export function make(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Says a line to those who listen to the page instead of looking at it. The lines before it stay: they may not be read out yet. */
export function announce(text) {
  const lines = byId("announcer");
  lines.append(make("p", "", text));
  if (lines.childElementCount > LINES_KEPT) lines.firstElementChild.remove();
}

/** Shows an error over the page; takes anything that was thrown. Nobody is moved: it can be read where one is. */
export function showProblem(error) {
  const { title, detail } = said(error);
  byId("problem-title").textContent = title;
  byId("problem-detail").textContent = detail;
  byId("problem").hidden = false;
}

export function hideProblem() {
  byId("problem").hidden = true;
}

/** Says on top of the page what has been done, and moves there. */
export function showNotice(key, values) {
  tell(byId("notice"), key, values);
  byId("notice").hidden = false;
  byId("notice").focus();
}

export function hideNotice() {
  byId("notice").hidden = true;
}

/**
 * A button that runs `run` once at a time and shows what it throws. Its text is that of `key`; `name` says to who only
 * listens what it belongs to. With `only` it shows its icon alone.
 */
export function button(key, name, run, { kind = "", symbol = "", only = false } = {}) {
  const made = make("button", kind);
  made.type = "button";
  if (symbol) made.append(icon(symbol));
  if (!only) made.append(tell(make("span"), key));
  label(made, "core.of", { what: () => say(key), name });
  made.addEventListener("click", () => guarded(made, run));
  return made;
}

/** Runs `action` with `control` marked as busy, so that a second press does nothing; `show` gets what it throws. */
export async function guarded(control, action, show = showProblem) {
  if (control.ariaBusy === "true") return;
  control.ariaBusy = "true";
  hideProblem();
  hideNotice();
  try {
    await action();
  } catch (error) {
    show(error);
  } finally {
    control.ariaBusy = "false";
  }
}
