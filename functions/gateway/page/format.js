/** How states, titles, times and amounts read. */

import { ENDED, State } from "./states.js";

const clock = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const LABELS = {
  [State.RECEIVING]: "Receiving", [State.QUEUED]: "Waiting", [State.CONVERTING]: "Converting", [State.DONE]: "Ready",
  [State.FAILED]: "Failed", [State.CANCELLED]: "Cancelled", [State.EXPIRED]: "Expired",
};

// A state that only a newer release knows may lead on, and is shown by its own name.
export const isActive = (job) => !ENDED.has(job.state);
export const stateLabel = (state) => LABELS[state] ?? state;
export const percent = (fraction) => `${Math.floor(fraction * 100)}%`;

/** A title of the API, ready for the detail to follow it. */
export const sentence = (title) => (/[.!?]$/.test(title) ? title : `${title}.`);

/** 3725.4 seconds → "1:02:05". */
export function duration(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

/** 4200000 → "4.2 MB". */
export function bytes(count) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const power = count < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(count) / 3));
  const style = { style: "unit", unit: units[power], unitDisplay: power ? "short" : "long", maximumFractionDigits: 1 };
  return new Intl.NumberFormat("en", style).format(count / 1000 ** power);
}

/** An RFC 3339 time, as people write it. */
export const moment = (time) => clock.format(new Date(time));
