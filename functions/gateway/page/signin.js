/** The form to sign in or to create an account. */

import { byId, guarded } from "./dom.js";
import { signIn, signUp } from "./session.js";

const MODES = {
  enter: {
    title: "Sign in",
    question: "New here?",
    other: "Create an account",
    autocomplete: "current-password",
    send: signIn,
  },
  join: {
    title: "Create an account",
    question: "Been here before?",
    other: "Sign in",
    autocomplete: "new-password",
    send: signUp,
  },
};
let mode;

/** Wires the form; `onSignedIn` is called once the person is in. */
export function setUpSignIn(onSignedIn) {
  byId("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(byId("sign-in-submit"), () => submit(onSignedIn));
  });
  byId("switch-mode").addEventListener("click", () => show(mode === MODES.enter ? MODES.join : MODES.enter));
  byId("show-password").addEventListener("change", reveal);
  show(MODES.enter);
}

async function submit(onSignedIn) {
  await mode.send(byId("email").value, byId("password").value);
  byId("sign-in").reset();
  reveal();
  show(MODES.enter);
  await onSignedIn();
}

function reveal() {
  byId("password").type = byId("show-password").checked ? "text" : "password";
}

function show(chosen) {
  mode = chosen;
  byId("sign-in-title").textContent = mode.title;
  byId("sign-in-submit").textContent = mode.title;
  byId("switch-question").textContent = mode.question;
  byId("switch-mode").textContent = mode.other;
  byId("password").autocomplete = mode.autocomplete;
  byId("password-hint").hidden = mode !== MODES.join;
}
