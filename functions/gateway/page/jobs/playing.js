/** What the list knows of the player, which is loaded when something is first to be heard. */

import { once } from "../core/late.js";

let player = null;
let changed = () => {};

/** `onChange(id)` is called for a job that begins or stops to play; with true, when the player was closed. */
export const setUpPlaying = (onChange) => (changed = onChange);

/** Whether this job is heard now. */
export const isPlaying = (id) => Boolean(player?.isPlaying(id));

/** Plays a job, or pauses it. */
export async function togglePlaying(job) {
  await load();
  await player.toggle(job);
}

/** A job is gone. */
export const dropPlaying = (id) => player?.drop(id);

/** A job may have a new name. */
export const renamePlaying = (job) => player?.rename(job);

const load = once(async () => {
  const loaded = await import("./player.js");
  loaded.player.setUp(changed);
  player = loaded.player;
});
