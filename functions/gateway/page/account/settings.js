/** The part of the page about the account itself: password, address, sessions, and its end. */

import { ask, askJson, sending } from "../core/api.js";
import { confirmed } from "../core/dialog.js";
import { announce, button, byId, guarded, make, showNotice } from "../core/dom.js";
import { moment } from "../core/format.js";
import { onSubmit } from "../core/forms.js";
import { signOutAndLeave } from "../core/leaving.js";
import { changePassword as change, session } from "../core/session.js";
import { say, tell, tellWith } from "../core/words.js";
import { agentName } from "./agent.js";

/** Wires it. */
export function setUpSettings() {
  onSubmit(byId("change-password"), changePassword, { "wrong-password": "current-password", "invalid-account": "new-password" });
  onSubmit(byId("change-address"), changeAddress, { "wrong-password": "address-password", "email-taken": "new-address" });
  onSubmit(byId("delete-account"), deleteAccount, { "wrong-password": "delete-password" });
  byId("sign-out-everywhere").addEventListener("click", (event) => guarded(event.currentTarget, async () => {
    await ask("/v1/me/sessions", { method: "DELETE" });
    await signOutAndLeave();
  }));
}

async function changePassword() {
  await change(byId("current-password").value, byId("new-password").value);
  byId("change-password").reset();
  await showSessions();
  showNotice("account.password.changed");
}

async function changeAddress() {
  const body = { email: byId("new-address").value, password: byId("address-password").value };
  const changed = await askJson("/v1/me", sending("PATCH", body));
  byId("change-address").reset();
  if (changed) byId("account-email").textContent = changed.email;
  showNotice(changed ? "account.address.changed" : "account.address.mailed");
}

async function deleteAccount() {
  if (!(await confirmed("account.delete.question"))) return;
  await ask("/v1/me", sending("DELETE", { password: byId("delete-password").value }));
  await signOutAndLeave();
}

/** Lists where one is signed in. */
export async function showSessions() {
  const { items } = await askJson("/v1/me/sessions");
  byId("sessions").replaceChildren(...items.map(lineOf));
}

function lineOf({ id, used_at, user_agent }) {
  const facts = used_at ? [tellWith(make("span", "facts"), () => say("account.sessions.used", { when: moment(used_at) }))] : [];
  const text = make("div", "", tellWith(make("strong"), () => agentName(user_agent)), ...facts);
  const isOwn = id === session();
  const last = isOwn ? tell(make("span", "badge"), "account.sessions.own") : button("account.sign-out", agentName(user_agent), () => endSession(id));
  return make("li", "", text, last);
}

async function endSession(id) {
  await ask(`/v1/me/sessions/${id}`, { method: "DELETE" });
  await showSessions();
  byId("sessions-title").focus();
  announce(say("account.sessions.ended"));
}
