/** Light, dark, or as the system has it. What is chosen here, core/early.js reads before the page is painted. */

const KEY = "audiolift.theme";
export const THEMES = ["system", "light", "dark"];

export const theme = () => document.documentElement.dataset.theme ?? "system";

export function chooseTheme(chosen) {
  const { dataset } = document.documentElement;
  if (chosen === "system") delete dataset.theme;
  else dataset.theme = chosen;
  try {
    if (chosen === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, chosen);
  } catch {
    // For this visit, then.
  }
}
