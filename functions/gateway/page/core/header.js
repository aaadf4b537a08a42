/** What is on top of every view: the language, the theme, and the account's menu. */

import { byId, guarded } from "./dom.js";
import { mayLeave, signOutAndLeave } from "./leaving.js";
import { menu } from "./menu.js";
import { chooseTheme, theme } from "./theme.js";
import { choose, language, LANGUAGES } from "./words.js";

let shown = null;

/** Whose account it is, as of the API; null when nobody is signed in. */
export const account = () => shown;

/** Wires it. */
export function setUpHeader() {
  languages();
  themes();
  menu(byId("open-menu"), byId("menu"));
  byId("sign-out").addEventListener("click", (event) => guarded(event.currentTarget, leave));
}

const leave = async () => (await mayLeave()) && signOutAndLeave();

/** Shows whose account it is; null when nobody is signed in. What is for operators is shown to those alone. */
export function showAccount(account, operates) {
  shown = account;
  byId("account").hidden = !account;
  byId("nav").hidden = !account;
  for (const each of document.querySelectorAll("[data-operator]")) each.hidden = !operates;
  byId("account-email").textContent = account?.email ?? "";
  byId("account-letter").textContent = account?.email.slice(0, 1).toUpperCase() ?? "";
}

function languages() {
  const list = byId("language");
  for (const [tag, name] of Object.entries(LANGUAGES)) {
    const option = new Option(name, tag);
    option.lang = tag;
    list.append(option);
  }
  list.value = language();
  list.addEventListener("change", () => guarded(list, () => choose(list.value)));
}

function themes() {
  const list = byId("theme");
  list.value = theme();
  list.addEventListener("change", () => chooseTheme(list.value));
  // Until now, a choice would have been lost.
  list.disabled = false;
}
