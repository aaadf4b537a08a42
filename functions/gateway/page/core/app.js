/** The page: signed out or signed in, and what happens on the way from one to the other. */

import { comeBack, offerProvider } from "../account/oidc.js";
import { openLink, setUpSignIn } from "../account/signin.js";
import { askJson } from "./api.js";
import { byId, hideProblem, showProblem } from "./dom.js";
import { setUpHeader, showAccount } from "./header.js";
import { leave, SESSION_OVER } from "./leaving.js";
import { away, setUpNetwork, whenBack } from "./network.js";
import { sessionOver } from "./problem.js";
import { begin, current, may, nobody, onState } from "./session.js";
import { announceView, setUpViews, show, view } from "./views.js";
import { load, translate } from "./words.js";

function showWelcome() {
  byId("loading").hidden = true;
  byId("welcome").hidden = false;
  return offerProvider();
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
  else if (why === "none") showWelcome();
  else if (why === "over" && !entering) fail(sessionOver());
  else if (why !== "asked") leave(why === "over" ? SESSION_OVER : "");
}

async function start() {
  if (location.search === SESSION_OVER) {
    showProblem(sessionOver());
    history.replaceState(null, "", location.pathname);
  }
  if (openLink()) return showWelcome();
  await comeBack().catch(showProblem);
  // The server has shown the welcome to who has no cookie: there is nobody to ask for.
  if (byId("loading").hidden && current() === "unknown") return nobody();
  announceView();
  return whenBack(begin);
}

function fail(error) {
  if (!byId("loading").hidden) showWelcome();
  showProblem(error);
}

await load();
translate();
setUpHeader();
setUpNetwork();
setUpSignIn(enterOnce);
setUpViews();
view("/", { id: "view-home", module: "jobs/home.js" });
view("/jobs/{id}", { id: "view-job", module: "jobs/one.js", title: "jobs.single" });
view("/account", { id: "view-account", module: "account/view.js", title: "nav.account" });
onState(onChange);
byId("problem-close").addEventListener("click", () => { hideProblem(); byId("main").focus(); });
addEventListener("hashchange", () => { if (openLink()) showWelcome(); });
await start().catch(fail);
