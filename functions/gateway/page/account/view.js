/** The view /account: what it shows is asked for when it is opened. */

import { byId } from "../core/dom.js";
import { openIdentities, setUpIdentities } from "./identities.js";
import { openKeys, setUpKeys } from "./keys.js";
import { openNotifications, setUpNotifications } from "./notifications.js";
import { openPhone, setUpPhone } from "./phone.js";
import { openQuotas } from "./quota.js";
import { setUpSettings, showSessions } from "./settings.js";
import { openWebhooks, setUpWebhooks } from "./webhooks.js";

setUpIdentities();
setUpKeys();
setUpNotifications();
setUpPhone(openNotifications);
setUpSettings();
setUpWebhooks();

// Whether SMS can be chosen, the number says.
const openChoices = async () => openNotifications(await openPhone());

export const open = () =>
  Promise.all([openQuotas(), showSessions(), openIdentities(), openChoices(), openWebhooks(), openKeys()]);

/** What was there when one left is not shown as if it still were: a click would meet what is just being replaced. */
export const close = () => ["hooks-list", "keys-list", "identities-list", "sessions"].forEach((id) => byId(id).replaceChildren());
