/** The part of the page about the account itself: password, address, sessions, and its end. */

import { ask, askJson } from "./api.js";
import { announce, button, byId, confirmed, guarded, showNotice } from "./dom.js";
import { moment } from "./format.js";
import { changePassword as change, session } from "./session.js";

/** Wires it; `leave` is called when one is signed out by what was done. */
export function setUpSettings(leave) {
  byId("open-settings").addEventListener("click", (event) => guarded(event.currentTarget, toggle));
  onSubmit("change-password", changePassword);
  onSubmit("change-address", changeAddress);
  onSubmit("delete-account", () => deleteAccount(leave));
  byId("sign-out-everywhere").addEventListener("click", (event) => guarded(event.currentTarget, async () => {
    await ask("/v1/me/sessions", { method: "DELETE" });
    leave();
  }));
}

function onSubmit(id, action) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(byId(id).querySelector("[type=submit]"), action);
  });
}

async function toggle() {
  const open = byId("settings").hidden;
  if (open) await showSessions();
  byId("settings").hidden = !open;
  byId("open-settings").ariaExpanded = String(open);
  if (open) byId("settings-title").focus();
}

async function changePassword() {
  await change(byId("current-password").value, byId("new-password").value);
  byId("change-password").reset();
  await showSessions();
  showNotice("Your password was changed. Everybody else was signed out.");
}

async function changeAddress() {
  const body = { email: byId("new-address").value, password: byId("address-password").value };
  const changed = await askJson("/v1/me", json("PATCH", body));
  byId("change-address").reset();
  if (changed) byId("account-email").textContent = changed.email;
  showNotice(changed ? "Your address was changed." : "Open the link that was mailed to the new address.");
}

async function deleteAccount(leave) {
  if (!(await confirmed("Delete your account, with all videos and MP3s?"))) return;
  await ask("/v1/me", json("DELETE", { password: byId("delete-password").value }));
  leave();
}

const json = (method, body) => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

async function showSessions() {
  const { items } = await askJson("/v1/me/sessions");
  byId("sessions").replaceChildren(...items.map(lineOf));
}

function lineOf({ id, used_at, user_agent }) {
  const line = document.createElement("li");
  const own = id === session();
  const when = used_at ? `, last used ${moment(used_at)}` : "";
  const text = document.createElement("span");
  text.textContent = `${user_agent || "Unknown program"}${when}${own ? " (this one)" : ""}`;
  line.append(text);
  if (!own) line.append(button("Sign out", `Sign out ${text.textContent}`, () => endSession(id)));
  return line;
}

async function endSession(id) {
  await ask(`/v1/me/sessions/${id}`, { method: "DELETE" });
  await showSessions();
  byId("sessions-title").focus();
  announce("Signed out there.");
}
