/** What may help a job that has no MP3: one table of reasons. What is not in it, trying again does not help. */

import { isActive } from "../core/format.js";
import { State } from "../core/states.js";

const same = (options) => options;
const without = (...names) => (options) => Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));

// Reason → what is said of it (a key of words/), and the options to try with. A reason of a newer release may be worth a try.
const HELPS = {
  "timed-out": ["jobs.retry", same],
  unreachable: ["jobs.retry", same],
  "over-quota": ["jobs.retry", same],
  "over-minutes": ["jobs.retry", same],
  "gave-up": ["jobs.retry", same],
  truncated: ["jobs.partial", (options) => ({ ...options, partial: true })],
  "no-track": ["jobs.other-track", without("track", "language", "tracks")],
  "nothing-left": ["jobs.uncut", without("start", "end", "trim_silence")],
};
const NEVER = new Set([
  "empty", "not-media", "refused-format", "no-audio", "unsupported-codec", "encrypted", "damaged", "too-long", "too-large",
  "refused-url", "too-large-video",
]);

/** How a job can be converted again: {key, options}; options are null where they stay as they are. Null where it cannot, or need not. */
export function retryOf({ state, error, links, options }) {
  if (!links.retry || isActive({ state })) return null;
  if (state === State.DONE) return { key: "jobs.again", options: null };
  if (state !== State.FAILED || !error) return { key: "jobs.retry", options: null };
  if (NEVER.has(error.code)) return null;
  const [key, change] = HELPS[error.code] ?? ["jobs.retry", same];
  const changed = change(options);
  if (change === same) return { key, options: null };
  return JSON.stringify(changed) === JSON.stringify(options) ? null : { key, options: changed };
}
