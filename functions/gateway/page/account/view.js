/** The view /account: what it shows is asked for when it is opened. */

import { openKeys, setUpKeys } from "./keys.js";
import { setUpSettings, showSessions } from "./settings.js";

setUpKeys();
setUpSettings();

export const open = () => Promise.all([showSessions(), openKeys()]);
