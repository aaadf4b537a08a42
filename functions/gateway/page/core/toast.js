/** A line at the edge of the page that says what was done, and goes by itself. Errors stay: see showProblem in dom.js. */

import { announce, byId, make } from "./dom.js";
import { say, tell } from "./words.js";

const STAYS_MS = 6000;

/** Shows the text of a key; `action`, {key, run}, is one thing to do about it, such as to undo it. */
export function toast(key, values = {}, action = null) {
  const shown = make("div", "toast", tell(make("p"), key, values));
  if (action) shown.append(actionOf(action, shown));
  byId("toasts").replaceChildren(shown);
  announce(say(key, values));
  goesAway(shown);
}

function actionOf({ key, run }, shown) {
  const made = tell(make("button", "quiet"), key);
  made.type = "button";
  made.addEventListener("click", () => { shown.remove(); run(); });
  return made;
}

// Not while somebody points at it or is inside.
function goesAway(shown) {
  setTimeout(() => (shown.matches(":hover, :focus-within") ? goesAway(shown) : shown.remove()), STAYS_MS);
}
