/** The page: signed out or signed in, and what happens on the way from one to the other. */

import { comeBack, offerProvider } from "../account/oidc.js";
import { openLink, setUpSignIn } from "../account/signin.js";
import { askJson } from "./api.js";
import { byId, hideProblem, showProblem } from "./dom.js";
import { setUpHeader, showAccount } from "./header.js";
import { leave, SESSION_OVER } from "./leaving.js";
import { setUpNetwork, whenBack } from "./network.js";
import { sessionOver } from "./problem.js";
import { onSessionOver, remembered } from "./session.js";
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
  showAccount(account);
  byId("welcome").hidden = true;
  byId("loading").hidden = true;
  await show();
}

async function start() {
  if (location.search === SESSION_OVER) {
    showProblem(sessionOver());
    history.replaceState(null, "", location.pathname);
  }
  if (openLink()) return showWelcome();
  await comeBack().catch(showProblem);
  if (!remembered()) return showWelcome();
  announceView();
  return whenBack(enter);
}

function fail(error) {
  if (!byId("loading").hidden) showWelcome();
  showProblem(error);
}

await load();
translate();
setUpHeader();
setUpNetwork();
setUpSignIn(() => whenBack(enter));
setUpViews();
view("/", { id: "view-home", module: "jobs/home.js" });
view("/jobs/{id}", { id: "view-job", module: "jobs/one.js", title: "jobs.single" });
view("/account", { id: "view-account", module: "account/view.js", title: "nav.account" });
onSessionOver(() => leave(SESSION_OVER));
byId("problem-close").addEventListener("click", () => { hideProblem(); byId("main").focus(); });
addEventListener("hashchange", () => { if (openLink()) showWelcome(); });
await start().catch(fail);
