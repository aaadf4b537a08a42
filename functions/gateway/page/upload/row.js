/** An upload on the page: one line that says where it is, and what can be done. Built once and then changed in place, so that focus stays. */

import { announce, button, make } from "../core/dom.js";
import { bytes, percent } from "../core/format.js";
import { said } from "../core/problem.js";
import { label, say, tellWith } from "../core/words.js";
import { At } from "./item.js";
import { timeLeft } from "./time.js";

// Problems that the same file has again and again.
const HOPELESS = ["file-empty", "file-picture", "file-document", "file-archive", "file-too-large", "too-large", "bad-option"];
const ALMOST = 0.99; // until the server has said that all is there
const MOVING = [At.SENDING, At.STALLED];

export class Row {
  #item;
  #acts;
  #parts;
  #state = null;
  #shown = "";

  /** `acts` has what the buttons do, each a function of the item: pause, resume, cancel, choose. */
  constructor(item, acts) {
    this.#item = item;
    this.#acts = acts;
    const [name, facts, why] = [make("h3", "upload-name", item.name), make("p", "upload-facts"), make("p", "upload-why")];
    name.tabIndex = -1;
    const progress = Object.assign(make("progress", "upload-progress"), { max: 1 });
    label(progress, "jobs.progress", { name: item.name });
    this.#parts = { name, state: make("span", "upload-state"), facts, progress, why, actions: make("div", "upload-actions") };
    this.element = make("li", "upload", make("div", "upload-head", name, this.#parts.state), this.#parts.actions, progress, facts, why);
  }

  /** Shows how it is now. A change of its state is spoken. */
  show() {
    const { state, problem } = this.#item;
    const isNews = this.#state !== null && this.#state !== state;
    this.#state = this.element.dataset.state = state;
    tellWith(this.#parts.state, () => stateOf(this.#item));
    tellWith(this.#parts.facts, () => factsOf(this.#item).join(" · "));
    tellWith(this.#parts.why, () => (state === At.FAILED ? whyOf(problem) : ""));
    this.#parts.why.hidden = state !== At.FAILED;
    this.#showProgress();
    this.#showActions();
    if (isNews) announce([`${this.#item.name}: ${stateOf(this.#item)}`, ...savedOf(this.#item)].join(". "));
  }

  focus() {
    this.#parts.name.focus();
  }

  #showProgress() {
    const { progress } = this.#parts;
    const share = shareOf(this.#item);
    progress.hidden = share === undefined;
    if (share) progress.value = share;
    else progress.removeAttribute("value");
  }

  #showActions() {
    const wanted = actionsOf(this.#item);
    if (wanted.join() === this.#shown) return;
    this.#shown = wanted.join();
    const had = this.#parts.actions.contains(document.activeElement);
    this.#parts.actions.replaceChildren(...wanted.map((action) => this.#button(action)));
    if (had) (this.#parts.actions.firstElementChild ?? this.#parts.name).focus();
  }

  #button(action) {
    const { key, act, kind, symbol } = ACTIONS[action];
    return button(key, this.#item.name, () => this.#acts[act](this.#item), { kind, symbol });
  }
}

const ACTIONS = {
  pause: { key: "upload.pause", act: "pause", kind: "quiet", symbol: "pause" },
  resume: { key: "upload.resume", act: "resume", kind: "", symbol: "play" },
  retry: { key: "jobs.retry", act: "resume", kind: "", symbol: "rotate-ccw" },
  choose: { key: "upload.choose-again", act: "choose", kind: "", symbol: "upload" },
  cancel: { key: "jobs.cancel", act: "cancel", kind: "quiet", symbol: "x" },
  remove: { key: "upload.remove", act: "cancel", kind: "quiet", symbol: "x" },
};

function actionsOf({ state, problem }) {
  switch (state) {
    case At.PAUSED: return ["resume", "cancel"];
    case At.LOST: return ["choose", "cancel"];
    case At.FAILED: return HOPELESS.includes(problem.code) ? ["remove"] : ["retry", "remove"];
    case At.WAITING: return ["pause", "cancel"];
    default: return ["pause", "cancel"];
  }
}

function stateOf(item) {
  const { state, problem } = item;
  const share = shareOf(item);
  if (state === At.STALLED) return say(waitOf(problem));
  return share && state !== At.LOST ? `${say(`upload.${state}`)} ${percent(share)}` : say(`upload.${state}`);
}

// What it waits for, as a key.
function waitOf({ code, status }) {
  if (code === "storage-full") return "upload.no-room";
  return status === 429 || code === "too-busy" ? "upload.busy" : "upload.stalled";
}

// A fraction from 0 to 1, null for "under way", undefined for nothing to show.
function shareOf({ state, sent, total, read }) {
  if (state === At.READING) return read || null;
  if ([At.WAITING, At.FAILED, At.LOST].includes(state)) return sent && total ? sent / total : undefined;
  return total ? Math.min(sent / total, ALMOST) : null;
}

function savedOf({ contents, size }) {
  return contents?.isSound ? [say("upload.saved", { stays: bytes(size - contents.size), sent: bytes(contents.size) })] : [];
}

function factsOf(item) {
  const { size, state } = item;
  const first = savedOf(item)[0] ?? bytes(size);
  if (state === At.LOST) return [first, say("upload.lost.hint")];
  return MOVING.includes(state) ? [first, ...paceOf(item)] : [first];
}

function paceOf({ meter, sent, total, state }) {
  const speed = state === At.SENDING && meter.speed();
  if (!speed) return [];
  return [say("upload.speed", { speed: bytes(speed) }), timeLeft(meter.secondsFor(total - sent))];
}

function whyOf(problem) {
  const { title, detail } = said(problem);
  const { size, most } = problem.values ?? {};
  return [title, most ? say("upload.too-large", { size: bytes(size), most: bytes(most) }) : detail].filter(Boolean).join(" ");
}
