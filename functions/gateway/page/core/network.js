/** When the server is away: a banner says so and when it is tried again, and what was wanted is done once it is back. */

import { announce, byId, showProblem } from "./dom.js";
import { isAway, unreachable } from "./problem.js";
import { say, tell } from "./words.js";

const WAITS_MS = [2000, 5000, 10_000, 30_000];

let tries = 0;
let timer = null;
let waiting = null; // what to do once it is back

/** Wires the banner. */
export function setUpNetwork() {
  byId("offline-now").addEventListener("click", () => again());
  addEventListener("online", () => byId("offline").hidden || again());
  addEventListener("offline", () => show());
}

/** Runs `action`; as long as it fails because the server is away, the banner is shown and it is run again. */
export async function whenBack(action) {
  try {
    await action();
    hide();
  } catch (error) {
    if (!isAway(error)) throw error;
    waiting = action;
    clearTimeout(timer);
    timer = null;
    away();
  }
}

/** Shows the banner until the server answers again. */
export function away() {
  show();
  timer ??= setTimeout(again, WAITS_MS[Math.min(tries++, WAITS_MS.length - 1)]);
}

async function again() {
  clearTimeout(timer);
  timer = null;
  const action = waiting ?? knock;
  waiting = null;
  await whenBack(action).catch((error) => { hide(); showProblem(error); });
}

async function knock() {
  const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) throw unreachable();
}

function show() {
  const key = navigator.onLine ? "offline.server" : "offline.device";
  if (byId("offline").hidden) announce(say(key));
  tell(byId("offline-text"), key);
  byId("offline").hidden = false;
}

function hide() {
  [tries, timer] = [0, null];
  if (byId("offline").hidden) return;
  byId("offline").hidden = true;
  announce(say("offline.over"));
}
