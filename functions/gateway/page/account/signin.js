/** The form to sign in, to create an account, to have a password reset, and for what the links in mails lead to. */

import { byId, showNotice } from "../core/dom.js";
import { clearAll, onSubmit } from "../core/forms.js";
import { confirmAddress, forgetPassword, resetPassword, signIn, signUp } from "../core/session.js";
import { has, tell } from "../core/words.js";

// `send` resolves to the key of what to say when one is not signed in by it; `say` is where the texts of a mode begin.
const MODES = {
  enter: { other: "join", send: signIn },
  join: { other: "enter", fresh: true, send: async (...given) => ((await signUp(...given)) ? undefined : "signin.mailed") },
  forgot: {
    other: "enter",
    without: "password",
    send: (email) => forgetPassword(email).then(() => "signin.mailed"),
  },
  verify: { other: "enter", without: "email", send: (_email, password) => confirmAddress(token, password) },
  reset: {
    other: "enter",
    without: "email",
    fresh: true,
    send: (_email, password) => resetPassword(token, password).then(() => "signin.reset.done"),
  },
};
// What a problem is about.
const FIELDS = { "invalid-credentials": "password", "email-taken": "email", "wrong-password": "password", "invalid-account": "password" };
let mode;
let token = ""; // of the link that was opened

/** Wires the form; `onSignedIn` is called once the person is in. */
export function setUpSignIn(onSignedIn) {
  onSubmit(byId("sign-in"), () => submit(onSignedIn), FIELDS);
  for (const [id, next] of [["switch-mode", () => mode.other], ["forgot", () => "forgot"]]) {
    byId(id).addEventListener("click", () => show(next()));
    byId(id).disabled = false; // from now on a click does something
  }
  byId("show-password").addEventListener("change", reveal);
  show("enter");
}

/** Shows the form for the link of a mail, to "verify" or to "reset", with its token; the address bar forgets that. */
export function openLink(action, mailed) {
  history.replaceState(null, "", "/");
  token = mailed;
  show(action);
  byId("password").focus();
}

async function submit(onSignedIn) {
  const said = await mode.send(byId("email").value, byId("password").value);
  byId("sign-in").reset();
  reveal();
  show("enter");
  if (said) showNotice(said);
  else await onSignedIn();
}

function reveal() {
  byId("password").type = byId("show-password").checked ? "text" : "password";
}

function show(name) {
  mode = MODES[name];
  clearAll(byId("sign-in"));
  tell(byId("sign-in-title"), `signin.${name}`);
  tell(byId("sign-in-submit"), `signin.${name}`);
  byId("sign-in-hint").hidden = !has(`signin.${name}.hint`);
  if (!byId("sign-in-hint").hidden) tell(byId("sign-in-hint"), `signin.${name}.hint`);
  tell(byId("switch-question"), `signin.${name}.question`);
  tell(byId("switch-mode"), `signin.${name}.switch`);
  fields(name);
}

function fields(name) {
  byId("password").autocomplete = mode.fresh ? "new-password" : "current-password";
  byId("password").minLength = mode.fresh ? 8 : 0;
  byId("password-hint").hidden = !mode.fresh;
  byId("forgot-row").hidden = name !== "enter";
  for (const field of ["email", "password"]) {
    byId(`${field}-fields`).hidden = mode.without === field;
    byId(field).disabled = mode.without === field;
  }
}
