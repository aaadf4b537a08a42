/** The view /account: what it shows is asked for when it is opened. */

import { openKeys, setUpKeys } from "./keys.js";
import { openNotifications, setUpNotifications } from "./notifications.js";
import { openQuotas } from "./quota.js";
import { setUpSettings, showSessions } from "./settings.js";
import { openWebhooks, setUpWebhooks } from "./webhooks.js";

setUpKeys();
setUpNotifications();
setUpSettings();
setUpWebhooks();

export const open = () => Promise.all([openQuotas(), showSessions(), openNotifications(), openWebhooks(), openKeys()]);
