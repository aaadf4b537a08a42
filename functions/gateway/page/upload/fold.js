/** All options beside the presets, in groups. Made when they are asked for. */

import { guarded, make } from "../core/dom.js";
import { has, locale, say, tell, tellWith } from "../core/words.js";
import fields from "./fields.js";
import { oneFile } from "./files.js";
import { beside, choose, chosen, reset } from "./options.js";
import { clock, seconds } from "./clock.js";

const UNITS = { bitrate: "kbit/s", loudness: "LUFS", sample_rate: "Hz" };

export class Fold {
  #controls = new Map(); // name → {field, control}
  #onPart;

  /** `holder` is the element that gets the fields; `onPart(file, options)` see options.js. */
  constructor(holder, onPart) {
    this.#onPart = onPart;
    const groups = [...new Set(fields.map(({ group }) => group))];
    holder.replaceChildren(...groups.map((group) => this.#group(group)), this.#reset());
    document.addEventListener("words", () => this.show());
  }

  /** Shows what is set now, but for where somebody types. */
  show() {
    const [set, all] = [beside(), chosen()];
    for (const { field, control } of this.#controls.values()) {
      const isTyped = control === document.activeElement && !field.values;
      if (!isTyped) showValue(field, control, set[field.name], all[field.name]);
    }
  }

  #group(group) {
    const parts = fields.filter((field) => field.group === group).map((field) => this.#field(field));
    const made = make("fieldset", "option-group", tell(make("legend"), `options.${group}`), make("div", "option-grid", ...parts));
    if (group === "part") made.append(this.#byEar());
    return made;
  }

  #field(field) {
    const control = controlOf(field);
    control.id = `option-${field.name}`;
    control.name = field.name;
    control.addEventListener("input", () => this.#changed(field, control));
    this.#controls.set(field.name, { field, control });
    if (field.kind === "flag") return make("label", "check", control, " ", tell(make("span"), `option.${field.name}`));
    const text = Object.assign(tell(make("label"), `option.${field.name}`), { htmlFor: control.id });
    return make("div", "option", text, control);
  }

  #changed(field, control) {
    const value = valueOf(field, control);
    control.ariaInvalid = String(value === undefined);
    if (value === undefined) return;
    choose(field.name, value);
    this.show();
  }

  #byEar() {
    const made = Object.assign(tell(make("button"), "options.by-ear"), { type: "button" });
    made.addEventListener("click", () => guarded(made, () => this.#listen()));
    return made;
  }

  async #listen() {
    const [file, { partOf }] = [await oneFile("video/*,audio/*"), await import("./part.js")];
    const part = file && (await partOf(file, beside()));
    if (!part) return;
    for (const name of ["start", "end"]) choose(name, part[name]);
    this.#onPart(file, chosen());
  }

  #reset() {
    const made = Object.assign(tell(make("button", "quiet"), "options.reset"), { type: "button" });
    made.addEventListener("click", reset);
    return made;
  }
}

function controlOf({ kind, values, least, most, step, longest }) {
  if (values) return make("select");
  const input = make("input");
  if (kind === "flag") return Object.assign(input, { type: "checkbox" });
  if (kind === "number") return Object.assign(input, { type: "number", min: least, max: most, step: step ?? "any" });
  return Object.assign(input, { type: "text", autocomplete: "off", maxLength: longest ?? 20, inputMode: kind === "time" ? "numeric" : "text" });
}

function showValue(field, control, value, whole) {
  control.ariaInvalid = "false";
  if (field.values) showChoices(field, control, value, whole);
  else if (field.kind === "flag") control.checked = Boolean(value);
  else control.value = value === undefined ? "" : field.kind === "time" ? clock(value) : value;
}

function showChoices(field, control, value, whole) {
  const first = new Option("", "");
  tellWith(first, () => (whole !== undefined && value === undefined ? say("options.preset", { value: named(field, whole) }) : say("options.automatic")));
  const others = field.values.map((each) => new Option(named(field, each), each, false, each === value));
  control.replaceChildren(first, ...others);
  control.value = value ?? "";
}

function named({ name }, value) {
  const key = `option.${name}.${value}`;
  if (has(key)) return say(key);
  const number = typeof value === "number" ? new Intl.NumberFormat(locale()).format(value) : value;
  return UNITS[name] ? `${number} ${UNITS[name]}` : String(number);
}

// Null for nothing, undefined for what cannot be meant.
function valueOf(field, control) {
  if (field.kind === "flag") return control.checked || null;
  const text = control.value.trim();
  if (!text) return control.validity.badInput ? undefined : null;
  if (field.values) return field.values.find((value) => String(value) === text);
  if (field.kind === "text") return text;
  const value = field.kind === "time" ? seconds(text) : Number(text);
  return value >= (field.least ?? 0) && value <= field.most ? value : undefined;
}
