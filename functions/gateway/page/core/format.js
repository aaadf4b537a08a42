/** How states, times and amounts read, in the language of the page. */

import { ENDED } from "./states.js";
import { has, locale, say } from "./words.js";

// A state that only a newer release knows may lead on, and is shown by its own name.
export const isActive = (job) => !ENDED.has(job.state);
export const stateLabel = (state) => (has(`state.${state}`) ? say(`state.${state}`) : state);

// Making one of them takes longer than all that it writes in a row.
const made = new Map();

function formatOf(Format, style) {
  const key = `${Format.name} ${locale()} ${JSON.stringify(style)}`;
  if (!made.has(key)) made.set(key, new Format(locale(), style));
  return made.get(key);
}

const number = (value, style) => formatOf(Intl.NumberFormat, style).format(value);

/** 0.429 → "42%"; never 100% before it is all. */
export function percent(fraction) {
  return number(Math.floor(fraction * 100) / 100, { style: "percent" });
}

/** 3725.4 seconds → "1:02:05". */
export function duration(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

/** 4200000 → "4.2 MB". */
export function bytes(count) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const power = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  const style = { style: "unit", unit: units[power], unitDisplay: power ? "short" : "long", maximumFractionDigits: 1 };
  return number(count / 1000 ** power, style);
}

/** 75 seconds → "1 min left", about. */
export function left(seconds) {
  const [size, unit] = [[3600, "hour"], [60, "minute"], [1, "second"]].find(([each]) => seconds >= each) ?? [1, "second"];
  const style = { style: "unit", unit, unitDisplay: "short" };
  return say("core.left", { time: number(Math.max(1, Math.round(seconds / size)), style) });
}

/** An RFC 3339 time, as people write it: without the year, if that is this one. */
export const moment = (time) => day(time, { hour: "2-digit", minute: "2-digit" });

/** The same without the hour, unless `more` says otherwise. */
export function day(time, more = {}) {
  const [then, style] = [new Date(time), { day: "numeric", month: "short", ...more }];
  if (then.getFullYear() !== new Date().getFullYear()) style.year = "numeric";
  return formatOf(Intl.DateTimeFormat, style).format(then);
}
