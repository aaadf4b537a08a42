/** The player at the foot of the page: one MP3 at a time, in this tab and in all others. */

import { askJson, local } from "../core/api.js";
import { byId, guarded } from "../core/dom.js";
import { duration } from "../core/format.js";
import { said } from "../core/problem.js";
import { label, say, tell } from "../core/words.js";
import { sourceOf } from "./actions.js";
import { Waveform } from "./waveform.js";

const STEPS = { ArrowRight: 5, ArrowLeft: -5, ArrowUp: 5, ArrowDown: -5, PageUp: 30, PageDown: -30 }; // seconds

class Player {
  #job = null;
  #audio;
  #wave;
  #channel = new BroadcastChannel("audiolift.player");
  #changed = () => {};

  /** Wires it; `changed(id)` is called for a job that begins or stops to play. */
  setUp(changed) {
    this.#changed = changed;
    this.#audio = byId("player-audio");
    this.#wave = new Waveform(byId("player-wave"));
    for (const name of ["play", "pause", "ended"]) this.#audio.addEventListener(name, () => this.#show());
    for (const name of ["timeupdate", "seeked", "durationchange"]) this.#audio.addEventListener(name, () => this.#showTime());
    this.#audio.addEventListener("error", () => this.#onError());
    this.#channel.addEventListener("message", () => this.#audio.pause());
    byId("player-toggle").addEventListener("click", (event) => guarded(event.currentTarget, () => this.toggle(this.#job), this.#fail));
    byId("player-close").addEventListener("click", () => this.close());
    this.#wireWave();
    this.#wireKeys();
  }

  /** Whether this job is heard now. */
  isPlaying = (id) => this.#job?.id === id && !this.#audio.paused;

  /** Plays a job, or pauses it. */
  async toggle(job) {
    if (this.isPlaying(job.id)) return this.#audio.pause();
    if (this.#job?.id !== job.id || this.#audio.error) await this.#open(job);
    await this.#play();
  }

  /** Stops, if it is this job that plays: it is gone. */
  drop(id) {
    if (this.#job?.id === id) this.close();
  }

  /** Shows a new name. */
  rename(job) {
    if (this.#job?.id === job.id) byId("player-name").textContent = job.filename;
  }

  close() {
    const before = this.#job;
    this.#unload();
    byId("player").hidden = true;
    if (before) this.#changed(before.id, true);
  }

  async #open(job) {
    const { url } = await sourceOf(job);
    const before = this.#job;
    this.#unload();
    this.#job = job;
    if (before) this.#changed(before.id);
    this.#audio.src = url;
    byId("player").hidden = false;
    byId("player-name").textContent = job.filename;
    label(byId("player-wave"), "player.seek", { name: job.filename });
    this.#showTime();
    this.#showPeaks(job);
    tellSystem(job, this);
  }

  #unload() {
    this.#audio.pause();
    if (this.#audio.src.startsWith("blob:")) URL.revokeObjectURL(this.#audio.src);
    this.#audio.removeAttribute("src");
    this.#audio.load();
    this.#job = null;
    byId("player-problem").hidden = true;
  }

  async #play() {
    this.#channel.postMessage("play");
    // To be stopped while it begins is no error.
    await this.#audio.play().catch((error) => error.name === "AbortError" || Promise.reject(error));
  }

  async #showPeaks(job) {
    this.#wave.show(null);
    if (!job.links.peaks) return;
    const { peaks } = await askJson(local(job.links.peaks)).catch(() => ({ peaks: null }));
    if (this.#job?.id === job.id) this.#wave.show(peaks);
  }

  #show() {
    if (!this.#job) return;
    const isPaused = this.#audio.paused;
    byId("player-toggle").querySelector("use").setAttribute("href", isPaused ? "#icon-play" : "#icon-pause");
    label(byId("player-toggle"), "core.of", { what: () => say(isPaused ? "jobs.play" : "player.pause"), name: this.#job.filename });
    this.#changed(this.#job.id);
  }

  #showTime() {
    const [at, length] = [this.#audio.currentTime, this.#length()];
    byId("player-time").textContent = `${duration(at)} / ${duration(length)}`;
    this.#wave.play(length ? Math.min(at / length, 1) : 0);
    const slider = byId("player-wave");
    slider.ariaValueMax = Math.round(length);
    slider.ariaValueNow = Math.round(at);
    slider.ariaValueText = say("player.at", { at: duration(at), length: duration(length) });
  }

  #length() {
    return Number.isFinite(this.#audio.duration) ? this.#audio.duration : (this.#job?.duration_seconds ?? 0);
  }

  #seek(seconds) {
    this.#audio.currentTime = Math.min(Math.max(seconds, 0), this.#length());
    this.#showTime();
  }

  /** Seeks by so many seconds. */
  skip(seconds) {
    this.#seek(this.#audio.currentTime + seconds);
  }

  #wireWave() {
    const wave = byId("player-wave");
    const seekTo = ({ clientX }) => {
      const { left, width } = wave.getBoundingClientRect();
      const share = (clientX - left) / width;
      this.#seek((getComputedStyle(wave).direction === "rtl" ? 1 - share : share) * this.#length());
    };
    wave.addEventListener("pointerdown", (event) => { wave.setPointerCapture(event.pointerId); seekTo(event); });
    wave.addEventListener("pointermove", (event) => wave.hasPointerCapture(event.pointerId) && seekTo(event));
  }

  #wireKeys() {
    byId("player-wave").addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key in STEPS) this.skip(STEPS[event.key]);
      else if (event.key === "Home") this.#seek(0);
      else if (event.key === "End") this.#seek(this.#length());
      else if (event.key === " ") byId("player-toggle").click();
      else return;
      event.preventDefault();
    });
  }

  #onError() {
    if (!this.#job || !this.#audio.getAttribute("src")) return;
    tell(byId("player-problem"), "player.broken");
    byId("player-problem").hidden = false;
    this.#show();
  }

  #fail = (error) => {
    const { title, detail } = said(error);
    byId("player-problem").textContent = `${title} ${detail}`;
    byId("player-problem").hidden = false;
  };
}

/** For the keys of a keyboard, a headset, and the lock screen of a phone. */
function tellSystem(job, player) {
  if (!navigator.mediaSession) return;
  navigator.mediaSession.metadata = new MediaMetadata({ title: job.filename, artist: "audiolift" });
  navigator.mediaSession.setActionHandler("seekbackward", () => player.skip(-10));
  navigator.mediaSession.setActionHandler("seekforward", () => player.skip(10));
}

export const player = new Player();
