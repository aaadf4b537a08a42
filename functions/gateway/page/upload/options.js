/** What is asked of conversions: a preset, and whatever is set beside it. Both are remembered in this browser. */

import { byId } from "../core/dom.js";
import { loadMore } from "../core/words.js";
import { kept, store } from "./memory.js";

/** For what: the options of the API that it stands for. */
export const PRESETS = {
  music: {},
  voice: { bitrate: 64, channels: 1, loudness: -16 },
  small: { bitrate: 40, bitrate_mode: "abr", channels: 1, sample_rate: 24000 },
  best: { bitrate: 320 },
};
const FIRST = "music";
// What belongs to one file, not to all that come later.
const ONCE = ["start", "end", "title", "date", "comment", "track"];
// Of what excludes another, the one that was set last counts.
const ALTERNATIVES = [
  ["quality", "bitrate"],
  ["quality", "bitrate_mode"],
  ["track", "language"],
  ["track", "tracks"],
  ["language", "tracks"],
];

let [preset, set, fold] = [FIRST, {}, null];

/** What to ask for now: names and values of the API. */
export const chosen = () => combined(PRESETS[preset], set);

function combined(before, after) {
  const made = { ...before };
  for (const [name, value] of Object.entries(after)) put(made, name, value);
  return made;
}

function put(options, name, value) {
  for (const pair of ALTERNATIVES.filter((each) => each.includes(name))) delete options[pair.find((other) => other !== name)];
  options[name] = value;
}

/** What is set beside the preset, by name. */
export const beside = () => ({ ...set });

/** Sets an option, or takes it back with null. What it excludes is taken back, too. */
export function choose(name, value) {
  if (value === null) delete set[name];
  else put(set, name, value);
  remember();
}

/** Takes back what is for one file. */
export function forgetOnce() {
  for (const name of ONCE) delete set[name];
  fold?.show();
}

/** Takes all back. */
export function reset() {
  [preset, set] = [FIRST, {}];
  remember();
  showPreset();
  fold?.show();
}

/** Wires presets and the fold, which is loaded when it is opened. `onPart(file, options)` gets a file of which a part was chosen by ear. */
export function setUpOptions(onPart) {
  recall();
  for (const input of presets()) {
    input.addEventListener("change", () => choosePreset(input.value));
    if (input.checked) choosePreset(input.value); // before this was loaded
  }
  showPreset();
  const open = async () => {
    if (fold || !byId("options").open) return;
    const [{ Fold }] = await Promise.all([import("./fold.js"), loadMore()]);
    fold ??= new Fold(byId("options-fields"), onPart);
    fold.show();
  };
  byId("options").addEventListener("toggle", open);
  open(); // it may have been opened before this was loaded
}

function choosePreset(name) {
  preset = name;
  remember();
  fold?.show();
}

const presets = () => document.querySelectorAll("[name=preset]");

function showPreset() {
  for (const input of presets()) input.checked = input.value === preset;
}

function remember() {
  store("options", { preset, set: Object.fromEntries(Object.entries(set).filter(([name]) => !ONCE.includes(name))) });
}

function recall() {
  const before = kept("options");
  if (Object.hasOwn(PRESETS, before?.preset)) ({ preset, set = {} } = before);
}
