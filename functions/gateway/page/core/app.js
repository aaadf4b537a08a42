/** The page: signed out or signed in, and what happens on the way from one to the other. */

import { askJson } from "./api.js";
import { byId, hideProblem, showProblem } from "./dom.js";
import { setUpHeader, showAccount } from "./header.js";
import { once } from "./late.js";
import { leave, SESSION_OVER } from "./leaving.js";
import { away, setUpNetwork, whenBack } from "./network.js";
import { sessionOver } from "./problem.js";
import { begin, current, may, nobody, onState } from "./session.js";
import { announceView, preload, setUpViews, show, view } from "./views.js";
import { load, translate } from "./words.js";

const DOOR = "account/door.js";
const MAILED = /^\/(verify|reset)[/=]([\w-]+)$/; // where a link of a mail leads; behind the # in mails of the release before this one

// For who is not signed in alone; wired once.
const door = once(async () => {
  preload(DOOR);
  const made = await import("../account/door.js");
  made.setUpDoor(enterOnce);
  return made;
});

async function showWelcome() {
  byId("loading").hidden = true;
  byId("welcome").hidden = false;
  await door();
}

/** Goes by the link of a mail that leads here; resolves to whether there was one. */
async function openLink() {
  const [, action, token] = MAILED.exec(location.pathname + location.hash.replace("#", "")) ?? [];
  if (!action) return false;
  (await door()).openLink(action, token);
  await showWelcome();
  return true;
}

// Nothing of the page is shown before it is known who one is: a server that is away is not an account that is gone.
async function enter() {
  const account = await askJson("/v1/me");
  if (may("admin")) view("/operator", { id: "view-operator", module: "operator/view.js", title: "nav.operator" });
  showAccount(account, may("admin"));
  byId("welcome").hidden = true;
  await show();
}

let entering = null;

// By the form, or because one was signed in before, or in another tab.
function enterOnce() {
  entering ??= whenBack(enter).catch((error) => { entering = null; throw error; });
  return entering;
}

function onChange(state, why) {
  if (state === "in") enterOnce().catch(fail);
  else if (state === "away") away();
  else if (why === "none") showWelcome().catch(showProblem);
  else if (why === "over" && !entering) fail(sessionOver());
  else if (why !== "asked") leave(why === "over" ? SESSION_OVER : "");
}

async function start() {
  if (location.search === SESSION_OVER) {
    showProblem(sessionOver());
    history.replaceState(null, "", location.pathname);
  }
  if (await openLink()) return;
  if (new URLSearchParams(location.search).has("state")) await door().then(({ comeBack }) => comeBack()).catch(showProblem);
  // The server has shown the welcome to who has no cookie: there is nobody to ask for.
  if (byId("loading").hidden && current() === "unknown") return nobody();
  announceView();
  return whenBack(begin);
}

function fail(error) {
  if (!byId("loading").hidden) showWelcome().catch(showProblem);
  showProblem(error);
}

await load();
translate();
setUpHeader();
setUpNetwork();
setUpViews();
view("/", { id: "view-home", module: "jobs/home.js" });
view("/jobs/{id}", { id: "view-job", module: "jobs/one.js", title: "jobs.single" });
view("/account", { id: "view-account", module: "account/view.js", title: "nav.account" });
onState(onChange);
byId("problem-close").addEventListener("click", () => { hideProblem(); byId("main").focus(); });
addEventListener("hashchange", () => openLink().catch(showProblem));
await start().catch(fail);
