/** Bars, hour by hour, as an SVG of our own; who does not see them gets the numbers as a table. */

import { make } from "../core/dom.js";
import { locale, say, tellWith } from "../core/words.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, GAP] = [480, 96, 2];

/** A figure of one of the numbers of {at, …} of each hour; `series` is the name of the number, and of its texts. */
export function plotOf(series, hours) {
  const most = Math.max(...hours.map((hour) => hour[series]));
  const sum = hours.reduce((all, hour) => all + hour[series], 0);
  const title = tellWith(make("figcaption"), () => say(`operator.plot.${series}`, { count: sum, hours: hours.length, most }));
  return make("figure", `plot plot-${series}`, title, bars(series, hours, Math.max(1, most)), tableOf(series, hours));
}

function bars(series, hours, most) {
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const wide = WIDTH / hours.length;
  svg.append(drawn("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
  for (const [place, hour] of hours.entries()) svg.append(barOf(hour, series, place * wide, wide - GAP, most));
  return svg;
}

function barOf(hour, series, x, width, most) {
  const height = (hour[series] / most) * (HEIGHT - 4);
  const bar = drawn("rect", { x, y: HEIGHT - height, width, height });
  const tip = document.createElementNS(SVG, "title");
  tip.textContent = `${timeOf(hour)}: ${hour[series]}`;
  bar.append(tip);
  return bar;
}

function tableOf(series, hours) {
  const rows = hours.filter((hour) => hour[series]).map((hour) => make("tr", "", make("th", "", timeOf(hour)), make("td", "", String(hour[series]))));
  return make("table", "unseen", make("tbody", "", ...rows));
}

const timeOf = ({ at }) => new Intl.DateTimeFormat(locale(), { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(at));

function drawn(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
