/** Small helpers around the document; text from outside only ever enters it as text. */

import { sentence } from "./format.js";

export const byId = (id) => document.getElementById(id);

/** A fresh copy of the one element inside the template with this id. */
export const stamp = (id) => byId(id).content.firstElementChild.cloneNode(true);

/** Says a line to those who listen to the page instead of looking at it. */
export function announce(text) {
  byId("announcer").textContent = text;
}

/** Shows an error on top of the page; takes anything that was thrown. */
export function showProblem(error) {
  byId("problem-title").textContent = sentence(error.title ?? "Something went wrong on this page");
  byId("problem-detail").textContent = error.detail ?? `Reload it and try again. (${error.message})`;
  byId("problem").hidden = false;
  byId("problem").scrollIntoView({ block: "nearest" });
}

export function hideProblem() {
  byId("problem").hidden = true;
}

/** Says on top of the page what has been done, and moves there. */
export function showNotice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = false;
  byId("notice").focus();
}

export function hideNotice() {
  byId("notice").hidden = true;
}

/** A button that runs `action` once at a time and shows on the page what it throws. */
export function button(label, spoken, action, kind = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = label;
  made.setAttribute("aria-label", spoken);
  made.addEventListener("click", () => guarded(made, action));
  return made;
}

/** Runs `action` with `control` marked as busy, so that a second press does nothing. */
export async function guarded(control, action) {
  if (control.ariaBusy === "true") return;
  control.ariaBusy = "true";
  hideProblem();
  hideNotice();
  try {
    await action();
  } catch (error) {
    showProblem(error);
  } finally {
    control.ariaBusy = "false";
  }
}

/** Asks before something is lost; resolves to true when the person agrees. */
export function confirmed(question) {
  const dialog = byId("confirm");
  byId("confirm-question").textContent = question;
  dialog.returnValue = "no"; // what Escape leaves behind
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
