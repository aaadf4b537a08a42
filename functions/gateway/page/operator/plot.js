/** Bars along the time, as an SVG of our own; who does not see them gets the numbers as a table. */

import { make } from "../core/dom.js";
import { tellWith } from "../core/words.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, ROOM] = [480, 96, 4];

/**
 * A figure with a caption that `give` gives. `bars` are {from, to, parts, name}: where each begins and ends (0 to 1), what it
 * is made of ([kind, count], from the ground up), and what it is called. `most` is as high as it gets; `gap` is left between two.
 */
export function plotOf(kind, give, bars, { most, gap = 0 }) {
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(drawn("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
  for (const bar of bars) svg.append(...rectsOf(bar, (HEIGHT - ROOM) / Math.max(1, most), gap));
  return make("figure", `plot ${kind}`, tellWith(make("figcaption"), give), svg, tableOf(bars));
}

const sumOf = ({ parts }) => parts.reduce((sum, [, count]) => sum + count, 0);

function* rectsOf(bar, scale, gap) {
  const [x, width] = [bar.from * WIDTH, Math.max(0.5, (bar.to - bar.from) * WIDTH - gap)];
  let y = HEIGHT;
  for (const [kind, count] of bar.parts) {
    const height = count * scale;
    y -= height;
    const rect = drawn("rect", { x, y, width, height, class: kind });
    rect.append(Object.assign(document.createElementNS(SVG, "title"), { textContent: `${bar.name}: ${sumOf(bar)}` }));
    yield rect;
  }
}

// What is as it was is said once.
function tableOf(bars) {
  const told = bars.filter((bar, place) => sumOf(bar) !== (place ? sumOf(bars[place - 1]) : 0));
  const rows = told.map((bar) => make("tr", "", make("th", "", bar.name), make("td", "", String(sumOf(bar)))));
  return make("table", "unseen", make("tbody", "", ...rows));
}

function drawn(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
