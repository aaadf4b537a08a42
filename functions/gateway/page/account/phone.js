/** The number for SMS: given, confirmed by the code that is sent there, and forgotten. */

import { ask, askJson, sending } from "../core/api.js";
import { announce, byId, guarded } from "../core/dom.js";
import { moment } from "../core/format.js";
import { onSubmit } from "../core/forms.js";
import { say, tell } from "../core/words.js";

const URL = "/v1/me/phone";

/** Wires it; `onChange` is told whether SMS come, when that may have changed. */
export function setUpPhone(onChange) {
  const changed = (phone) => onChange(show(phone));
  onSubmit(byId("phone-give"), async () => {
    changed(await askJson(URL, sending("PUT", { number: byId("phone-number").value })));
    byId("phone-give").reset();
    byId("phone-code").focus();
  }, { "bad-request": "phone-number", "too-many-codes": "phone-number" });
  onSubmit(byId("phone-confirm"), async () => {
    changed(await askJson(`${URL}/confirm`, sending("POST", { code: byId("phone-code").value })));
    byId("phone-confirm").reset();
    back("phone.confirmed");
  }, { "wrong-code": "phone-code" });
  byId("phone-forget").addEventListener("click", (event) => guarded(event.currentTarget, async () => {
    await ask(URL, { method: "DELETE" });
    changed(await askJson(URL));
    back("phone.forgotten");
  }));
}

/** Shows it, where SMS are sent or a number is known. Resolves to whether they come. */
export const openPhone = async () => show(await askJson(URL));

function show({ possible, number, confirmed_at, code_expires_at }) {
  byId("phone").hidden = !possible && !number;
  byId("phone-give").hidden = !possible;
  byId("phone-confirm").hidden = !code_expires_at;
  byId("phone-forget").hidden = !number;
  const state = confirmed_at ? "phone.on" : code_expires_at ? "phone.waits" : "phone.none";
  tell(byId("phone-state"), state, { number, until: () => moment(code_expires_at) });
  return possible && Boolean(confirmed_at);
}

function back(key) {
  byId("phone-title").focus();
  announce(say(key));
}
