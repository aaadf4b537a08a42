/** What is shown once, to be copied: an API key, the secret of a webhook. It is on the page only until it is put away. */

import { announce, guarded, stamp } from "../core/dom.js";
import { say, tell } from "../core/words.js";

/** Puts a panel behind a list, which `key` says what is in. Returns what shows a secret in it; then `back` gets the focus. */
export function secretPanel(list, key, back) {
  const panel = stamp("secret");
  const [label, field, [copy, hide]] = [panel.querySelector("label"), panel.querySelector("input"), panel.querySelectorAll("button")];
  field.id = label.htmlFor = `${list.id}-secret`;
  tell(label, key);
  list.after(panel);
  copy.addEventListener("click", () => guarded(copy, () => copyFrom(field)));
  hide.addEventListener("click", () => {
    field.value = "";
    panel.hidden = true;
    back.focus();
  });
  return (value) => {
    field.value = value;
    panel.hidden = false;
    field.focus();
    field.select();
  };
}

async function copyFrom(field) {
  field.select();
  // Only a page that came by TLS, or from this machine, gets to the clipboard; elsewhere it is selected.
  if (!navigator.clipboard) return announce(say("keys.selected"));
  await navigator.clipboard.writeText(field.value);
  return announce(say("keys.copied"));
}
