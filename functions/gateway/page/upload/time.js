/** How long something still takes, in words that do not change every second. */

import { say } from "../core/words.js";

/** For example "about 4 minutes left". */
export function timeLeft(seconds) {
  if (seconds < 10) return say("upload.left.moment");
  if (seconds < 60) return say("upload.left.seconds", { count: Math.ceil(seconds / 10) * 10 });
  if (seconds < 3600) return say("upload.left.minutes", { count: Math.ceil(seconds / 60) });
  return say("upload.left.hours", { count: Math.ceil(seconds / 360) / 10 });
}
