/** The page: signed out or signed in, and what happens on the way from one to the other. */

import { askJson } from "./api.js";
import { byId, guarded, hideProblem, showProblem } from "./dom.js";
import { addJob, openJobs, setUpJobs } from "./jobs.js";
import { openKeys, setUpKeys } from "./keys.js";
import { expectMail, openMail, setUpMail } from "./mail.js";
import { comeBack, offerProvider } from "./oidc.js";
import { sessionOver } from "./problem.js";
import { begin, onState, signOut } from "./session.js";
import { setUpSettings } from "./settings.js";
import { openLink, setUpSignIn } from "./signin.js";
import { setUpUploads } from "./uploads.js";

const SESSION_OVER = "?session=over";

function showWorkspace(signedIn) {
  byId("workspace").hidden = !signedIn;
  byId("account").hidden = !signedIn;
  byId("welcome").hidden = signedIn;
}

async function enter() {
  const { email } = await askJson("/v1/me");
  byId("account-email").textContent = email;
  showWorkspace(true);
  byId("add-title").focus();
  await Promise.all([openJobs(), openMail(), openKeys()]);
}

async function start() {
  if (location.search === SESSION_OVER) {
    showProblem(sessionOver());
    history.replaceState(null, "", "/");
  }
  if (openLink()) return showWorkspace(false);
  await comeBack().catch(showProblem);
  if (await begin()) return enter();
  showWorkspace(false);
  return offerProvider();
}

// A fresh page, so that nothing of one account is left for the next, not even in answers that are still to come.
const leave = (search = "") => location.replace(`/${search}`);

setUpJobs(expectMail);
setUpKeys();
setUpMail();
setUpSettings(signOut);
setUpSignIn(enter);
setUpUploads(addJob);
onState((state, why) => {
  if (state === "out" && why !== "none") leave(why === "over" ? SESSION_OVER : "");
});
byId("problem-close").addEventListener("click", () => { hideProblem(); byId("main").focus(); });
byId("sign-out").addEventListener("click", (event) => guarded(event.currentTarget, signOut));
addEventListener("hashchange", () => { if (openLink()) showWorkspace(false); });
start().catch(showProblem);
