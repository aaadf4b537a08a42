/**
 * A button that opens a list of more to do. The list closes by Escape, by a choice, and when one goes elsewhere; the arrow
 * keys move in it.
 */

const ITEMS = "a[href]:not([hidden]), button:not([hidden]), select";
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/** Makes `opener`, a button, open and close `list`, an element after it. Both are inside one element of class "menu". */
export function menu(opener, list) {
  const show = (open) => {
    list.hidden = !open;
    opener.ariaExpanded = String(open);
  };
  show(false);
  opener.addEventListener("click", () => show(list.hidden));
  opener.parentElement.addEventListener("keydown", (event) => onKey(event, { opener, list, show }));
  opener.parentElement.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !opener.parentElement.contains(relatedTarget)) show(false);
  });
  list.addEventListener("click", ({ target }) => target.closest("a, button:not([data-stays])") && show(false));
  document.addEventListener("pointerdown", ({ target }) => opener.parentElement.contains(target) || show(false));
}

function onKey(event, { opener, list, show }) {
  if (event.key === "Escape" && !list.hidden) {
    event.stopPropagation();
    show(false);
    opener.focus();
  }
  if (!(event.key in STEPS) || event.target.matches("select, input")) return;
  event.preventDefault();
  show(true);
  const items = [...list.querySelectorAll(ITEMS)].filter((item) => item.checkVisibility());
  const at = items.indexOf(document.activeElement);
  items.at(at < 0 ? Math.min(0, STEPS[event.key]) : (at + STEPS[event.key]) % items.length)?.focus();
}
