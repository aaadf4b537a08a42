/** The waveform of an MP3, drawn as wide as its element is, and how much of it has been played. */

const [STEP, HEIGHT, LEAST] = [4, 48, 2]; // in CSS pixels: from bar to bar, and how high the greatest and the least is

export class Waveform {
  #element;
  #peaks = null;
  #played = 0;

  constructor(element) {
    this.#element = element;
    new ResizeObserver(() => this.#draw()).observe(element);
  }

  /** Shows peaks (0 to 255), or a line where there are none (null). */
  show(peaks) {
    this.#peaks = peaks;
    this.#draw();
  }

  /** How much has been played, 0 to 1. */
  play(share) {
    this.#played = share;
    const rest = `${100 * (1 - share)}%`;
    const isMirrored = getComputedStyle(this.#element).direction === "rtl";
    this.#element.querySelector(".wave-played").style.clipPath = isMirrored ? `inset(0 0 0 ${rest})` : `inset(0 ${rest} 0 0)`;
  }

  #draw() {
    const width = Math.floor(this.#element.clientWidth);
    if (!width) return;
    const path = this.#peaks ? bars(this.#peaks, Math.floor(width / STEP)) : `M0 ${HEIGHT / 2}H${width}`;
    for (const svg of this.#element.querySelectorAll("svg")) {
      svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
      svg.firstElementChild.setAttribute("d", path);
    }
    this.play(this.#played);
  }
}

/** The path of so many bars: the highest of them fills the height. */
export function bars(peaks, count) {
  const most = Math.max(1, ...peaks);
  let path = "";
  for (let bar = 0; bar < count; bar++) {
    const [from, to] = [Math.floor((bar * peaks.length) / count), Math.ceil(((bar + 1) * peaks.length) / count)];
    const height = Math.max(LEAST, (HEIGHT * Math.max(...peaks.slice(from, to))) / most);
    path += `M${bar * STEP + STEP / 2} ${((HEIGHT - height) / 2).toFixed(1)}v${height.toFixed(1)}`;
  }
  return path;
}
