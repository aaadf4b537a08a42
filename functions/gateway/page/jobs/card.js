/** A file that is on its way up, or a job. Built once and then changed in place, so that focus stays. */

import { announce, button, make, stamp } from "../core/dom.js";
import { percent } from "../core/format.js";
import { label, tellWith } from "../core/words.js";

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
    label(this.#part("progress"), "jobs.progress", { name });
    this.#part("audio").setAttribute("aria-label", name);
    label(this.#part(".remarks"), "jobs.remarks", { name });
  }

  get audio() {
    return this.#part("audio");
  }

  /** `state` is for the style sheet, `said` gives it for people; a change of it is spoken, with the remarks. */
  showState(state, said, fraction) {
    const spoken = this.element.dataset.state;
    this.element.dataset.state = state;
    tellWith(this.#part(".state"), () => (fraction ? `${said()} ${percent(fraction)}` : said()));
    if (spoken !== undefined && spoken !== state) announce([`${this.#name}: ${said()}`, ...this.#remarks].join(". "));
  }

  /** A fraction from 0 to 1, null for "under way", undefined for nothing to show. */
  showProgress(fraction) {
    const bar = this.#part("progress");
    bar.hidden = fraction === undefined;
    if (fraction) bar.value = fraction;
    else bar.removeAttribute("value");
  }

  /** `facts` gives a list of texts. */
  showFacts(facts) {
    // Lines break between facts, and after commas.
    const unbroken = () => facts().map((fact) => fact.replaceAll(" ", "\u00a0").replaceAll(",\u00a0", ", "));
    tellWith(this.#part(".facts"), () => unbroken().join(" · "));
  }

  /** Why it failed and what to do: gives a {title, detail}; or null. */
  showWhy(why) {
    this.#part(".why").hidden = !why;
    tellWith(this.#part(".why-title"), () => why?.().title);
    tellWith(this.#part(".why-detail"), () => why?.().detail);
  }

  /** What to know about the MP3: a list of texts, before its state is shown. */
  showRemarks(texts) {
    if (texts.join("\n") === this.#remarks.join("\n")) return;
    this.#remarks = texts;
    const made = texts.map((text) => make("li", "", text));
    this.#part(".remarks").replaceChildren(...made);
    this.#part(".remarks").hidden = texts.length === 0;
  }

  /** The buttons: a list of {key, run, kind, symbol}. They are left alone while they stay the same. */
  showActions(actions) {
    const wanted = actions.map((action) => action.key).join();
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    const holder = this.#part(".actions");
    const focused = holder.contains(document.activeElement);
    holder.replaceChildren(...actions.map(({ key, run, ...looks }) => button(key, this.#name, run, looks)));
    if (focused) this.focus();
  }

  focus() {
    this.#part(".name").focus();
  }
}
