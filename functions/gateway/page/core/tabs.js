/** Tabs, as the ARIA Authoring Practices have them: the arrow keys go from one to the next, which opens it. */

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

/** Wires an element with role=tablist; each tab in it names its panel by aria-controls. The first one is open. */
export function tabs(list) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const open = (tab) => {
    for (const each of all) {
      each.ariaSelected = String(each === tab);
      each.tabIndex = each === tab ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = each !== tab;
    }
  };
  for (const each of all) each.addEventListener("click", () => open(each));
  list.addEventListener("keydown", ({ key }) => {
    if (!(key in STEPS)) return;
    const next = all.at((all.indexOf(document.activeElement) + STEPS[key]) % all.length);
    open(next);
    next.focus();
  });
  open(all[0]);
}
