/** What is shown once, to be copied: an API key, the secret of a webhook. It is on the page only until it is put away. */

import { announce, byId, guarded } from "../core/dom.js";
import { say } from "../core/words.js";

/** Wires the panel `name`-made, with `name`-value, -copy and -hide. Returns what shows a secret in it; then `back` gets the focus. */
export function secretPanel(name, back) {
  const [panel, field, copy, hide] = ["made", "value", "copy", "hide"].map((part) => byId(`${name}-${part}`));
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
