/** A file that is on its way up, or a job. Built once and then changed in place, so that focus stays. */

import { announce, button, stamp } from "./dom.js";
import { percent, sentence } from "./format.js";

export class Card {
  #name;
  #part;
  #shown = ""; // the actions on show
  #remarks = []; // the texts

  /** `name` comes from a person's disk and may be anything. */
  constructor(name) {
    this.element = stamp("card");
    this.#part = (selector) => this.element.querySelector(selector);
    this.#name = name;
    this.#part(".name").textContent = name;
    this.#part("progress").setAttribute("aria-label", `Progress of ${name}`);
    this.#part("audio").setAttribute("aria-label", name);
    this.#part(".remarks").setAttribute("aria-label", `What to know about ${name}`);
  }

  get audio() {
    return this.#part("audio");
  }

  /** `state` is for the style sheet, `label` for people; a change of it is spoken, with the remarks. */
  showState(state, label, fraction) {
    const spoken = this.element.dataset.state;
    this.element.dataset.state = state;
    this.#part(".state").textContent = fraction ? `${label} ${percent(fraction)}` : label;
    if (spoken !== undefined && spoken !== state) announce([`${this.#name}: ${label}`, ...this.#remarks].join(". "));
  }

  /** A fraction from 0 to 1, null for "under way", undefined for nothing to show. */
  showProgress(fraction) {
    const bar = this.#part("progress");
    bar.hidden = fraction === undefined;
    if (fraction) bar.value = fraction;
    else bar.removeAttribute("value");
  }

  showFacts(facts) {
    // Lines break between facts, and after commas.
    const unbroken = facts.map((fact) => fact.replaceAll(" ", "\u00a0").replaceAll(",\u00a0", ", "));
    this.#part(".facts").textContent = unbroken.join(" · ");
  }

  /** Why it failed and what to do, or null. */
  showWhy(error) {
    this.#part(".why").hidden = !error;
    this.#part(".why-title").textContent = error ? sentence(error.title) : "";
    this.#part(".why-detail").textContent = error?.detail ?? "";
  }

  /** What to know about the MP3: a list of texts, before its state is shown. */
  showRemarks(texts) {
    if (texts.join("\n") === this.#remarks.join("\n")) return;
    this.#remarks = texts;
    const made = texts.map((text) => Object.assign(document.createElement("li"), { textContent: text }));
    this.#part(".remarks").replaceChildren(...made);
    this.#part(".remarks").hidden = texts.length === 0;
  }

  /** The buttons: a list of {label, run, kind}. They are left alone while they stay the same. */
  showActions(actions) {
    const wanted = actions.map((action) => action.label).join();
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    const holder = this.#part(".actions");
    const focused = holder.contains(document.activeElement);
    const made = actions.map(({ label, run, kind }) => button(label, `${label} ${this.#name}`, run, kind));
    holder.replaceChildren(...made);
    if (focused) this.focus();
  }

  focus() {
    this.#part(".name").focus();
  }
}
