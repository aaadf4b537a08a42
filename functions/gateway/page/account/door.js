/** What is there for who is not signed in, loaded for them alone: the form, the links of mails, and the way by an identity provider. */

import { comeBack, offerProvider } from "./oidc.js";
import { openLink, setUpSignIn } from "./signin.js";

export { comeBack, openLink };

/** Wires the form; `onSignedIn` is called once the person is in. */
export function setUpDoor(onSignedIn) {
  setUpSignIn(onSignedIn);
  offerProvider();
}
