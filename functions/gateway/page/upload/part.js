/** A part of a local video, chosen by ear: a player, and where it can be made a waveform, with two sliders for start and end. */

import { byId } from "../core/dom.js";
import { opened } from "../core/dialog.js";
import { tell } from "../core/words.js";
import { clock } from "./clock.js";
import { waveform } from "./waveform.js";

const STEP = 0.05; // seconds

/** Shows the dialog for a File, beginning with {start, end} if they are set. Resolves to {start, end}, null for its own; or to null. */
export async function partOf(file, { start, end }) {
  const player = byId("part-player");
  const address = URL.createObjectURL(file);
  player.src = address;
  byId("part-name").textContent = file.name;
  const ending = new AbortController();
  const part = new Part(player, ending.signal);
  try {
    const answer = opened(byId("part"));
    if (await part.load()) {
      part.set(start ?? 0, end ?? player.duration);
      waveform(file, player.duration, ending.signal).then((peaks) => part.draw(peaks), () => part.draw(null));
    }
    return (await answer) === "yes" ? part.value() : null;
  } finally {
    ending.abort();
    player.pause();
    player.removeAttribute("src");
    player.load();
    URL.revokeObjectURL(address);
  }
}

class Part {
  #player;
  #sliders = [byId("part-start"), byId("part-end")];
  #peaks = null;

  constructor(player, signal) {
    this.#player = player;
    this.#sliders.forEach((slider, number) => {
      slider.addEventListener("input", () => this.#slid(number), { signal });
      byId(`${slider.id}-here`).addEventListener("click", () => this.#here(number), { signal });
    });
    byId("part-wave").addEventListener("click", (event) => this.#seek(event), { signal });
    player.addEventListener("timeupdate", () => this.#played(), { signal });
  }

  /** Resolves to whether the browser can play it. */
  load() {
    for (const each of [...this.#sliders, byId("part-yes")]) each.disabled = true;
    tell(byId("part-hint"), "part.loading");
    return new Promise((resolve) => {
      this.#player.addEventListener("loadedmetadata", () => resolve(Number.isFinite(this.#player.duration)), { once: true });
      this.#player.addEventListener("error", () => resolve(false), { once: true });
    }).then((isPlayable) => {
      tell(byId("part-hint"), isPlayable ? "part.hint" : "part.unplayable");
      return isPlayable;
    });
  }

  set(start, end) {
    const { duration } = this.#player;
    [start, end].forEach((value, number) => {
      Object.assign(this.#sliders[number], { min: 0, max: duration, step: STEP, disabled: false, value });
    });
    byId("part-yes").disabled = false;
    this.#show();
  }

  /** What was chosen; null for a border that is the video's own. */
  value() {
    const [start, end] = this.#sliders.map(({ value }) => Number(value));
    const { duration } = this.#player;
    return { start: start > 0 ? start : null, end: end < duration - STEP ? end : null };
  }

  draw(peaks) {
    this.#peaks = peaks;
    byId("part-wave").hidden = !peaks;
    this.#show();
  }

  #slid(number) {
    const [start, end] = this.#sliders;
    if (Number(start.value) >= Number(end.value)) {
      if (number) start.value = Number(end.value) - STEP;
      else end.value = Number(start.value) + STEP;
    }
    this.#player.currentTime = Number(this.#sliders[number].value);
    this.#show();
  }

  #here(number) {
    this.#sliders[number].value = this.#player.currentTime;
    this.#slid(number);
  }

  #seek({ offsetX, currentTarget }) {
    this.#player.currentTime = (offsetX / currentTarget.clientWidth) * this.#player.duration;
  }

  // What is played ends where the part does.
  #played() {
    const end = Number(this.#sliders[1].value);
    if (!this.#player.paused && this.#player.currentTime >= end && end < this.#player.duration - STEP) this.#player.pause();
    this.#show();
  }

  #show() {
    for (const slider of this.#sliders) {
      byId(`${slider.id}-time`).textContent = clock(Number(slider.value));
      slider.setAttribute("aria-valuetext", clock(Number(slider.value)));
    }
    if (this.#peaks) this.#paint();
  }

  #paint() {
    const canvas = byId("part-wave");
    const [{ duration, currentTime }, [start, end]] = [this.#player, this.#sliders.map(({ value }) => Number(value))];
    const [width, height] = [(canvas.width = canvas.clientWidth * devicePixelRatio), (canvas.height = canvas.clientHeight * devicePixelRatio)];
    const pen = canvas.getContext("2d");
    const { color, accentColor } = getComputedStyle(canvas);
    const bar = width / this.#peaks.length;
    this.#peaks.forEach((peak, number) => {
      const time = ((number + 0.5) / this.#peaks.length) * duration;
      pen.globalAlpha = time >= start && time <= end ? 1 : 0.3;
      pen.fillStyle = time <= currentTime && accentColor !== "auto" ? accentColor : color;
      const tall = Math.max(peak * height, 1);
      pen.fillRect(number * bar, (height - tall) / 2, Math.max(bar * 0.7, 1), tall);
    });
  }
}
