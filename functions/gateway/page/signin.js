/** The form to sign in, to create an account, to have a password reset, and for what the links in mails lead to. */

import { byId, guarded, showNotice } from "./dom.js";
import { confirmAddress, forgetPassword, resetPassword, signIn, signUp } from "./session.js";

const MAILED = "Look into your mailbox: if all is well, a mail with a link is on its way to you.";
const RESET = "That is your password now. Sign in with it.";

// `send` resolves to what to say when one is not signed in by it.
const MODES = {
  enter: {
    title: "Sign in",
    question: "New here?",
    other: ["Create an account", "join"],
    send: signIn,
  },
  join: {
    title: "Create an account",
    question: "Been here before?",
    other: ["Sign in", "enter"],
    fresh: true,
    send: async (email, password) => ((await signUp(email, password)) ? undefined : MAILED),
  },
  forgot: {
    title: "Reset your password",
    hint: "We send you a link by which you choose another one.",
    question: "Remembered it?",
    other: ["Sign in", "enter"],
    without: "password",
    send: (email) => forgetPassword(email).then(() => MAILED),
  },
  verify: {
    title: "Confirm your address",
    hint: "Enter the password that you have chosen for the account.",
    question: "Not you?",
    other: ["Leave it", "enter"],
    without: "email",
    send: (_email, password) => confirmAddress(token, password),
  },
  reset: {
    title: "Choose a new password",
    question: "Not you?",
    other: ["Leave it", "enter"],
    without: "email",
    fresh: true,
    send: (_email, password) => resetPassword(token, password).then(() => RESET),
  },
};
let mode;
let token = ""; // of the link that was opened

/** Wires the form; `onSignedIn` is called once the person is in. */
export function setUpSignIn(onSignedIn) {
  byId("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(byId("sign-in-submit"), () => submit(onSignedIn));
  });
  byId("switch-mode").addEventListener("click", () => show(mode.other[1]));
  byId("forgot").addEventListener("click", () => show("forgot"));
  byId("show-password").addEventListener("change", reveal);
  show("enter");
}

/** Shows the form for the link of a mail, if this page was opened by one; the address bar forgets the token. */
export function openLink() {
  const [, action, mailed] = /^#(verify|reset)=([\w-]+)$/.exec(location.hash) ?? [];
  if (!action) return false;
  history.replaceState(null, "", "/");
  token = mailed;
  show(action);
  byId("password").focus();
  return true;
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
  byId("sign-in-title").textContent = mode.title;
  byId("sign-in-submit").textContent = mode.title;
  byId("sign-in-hint").textContent = mode.hint ?? "";
  byId("sign-in-hint").hidden = !mode.hint;
  byId("switch-question").textContent = mode.question;
  byId("switch-mode").textContent = mode.other[0];
  byId("password").autocomplete = mode.fresh ? "new-password" : "current-password";
  byId("password-hint").hidden = !mode.fresh;
  byId("forgot-row").hidden = name !== "enter";
  for (const field of ["email", "password"]) {
    byId(`${field}-fields`).hidden = mode.without === field;
    byId(field).disabled = mode.without === field;
  }
}
