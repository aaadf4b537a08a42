/** Questions that have to be answered before anything else. */

import { byId } from "./dom.js";
import { tell } from "./words.js";

/** Shows a <dialog> and resolves to its returnValue: the value of the button that closed it, "" for Escape. */
export function opened(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

/** Asks before something is lost; resolves to true when the person agrees. All three are keys of words/. */
export async function confirmed(question, values = {}, { yes = "core.delete", no = "core.keep" } = {}) {
  tell(byId("confirm-question"), question, values);
  tell(byId("confirm-yes"), yes);
  tell(byId("confirm-no"), no);
  return (await opened(byId("confirm"))) === "yes";
}
