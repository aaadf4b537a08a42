/** How much there is to do, by state and reason, and how it went hour by hour. */

import { byId, make } from "../core/dom.js";
import { stateLabel } from "../core/format.js";
import { ENDED, State } from "../core/states.js";
import { has, locale, say, tellWith } from "../core/words.js";
import { look } from "./asking.js";
import { plotOf } from "./plot.js";

const HOURS = 48;
// Where jobs are that are not over; what waits comes first.
const TILES = [State.QUEUED, State.CONVERTING, State.RECEIVING];
const SERIES = ["begun", "done", "failed"];

/** Shows the figures of now. */
export async function refreshFigures() {
  const [{ items: counts }, { items: hours }] = await Promise.all([look("jobs/counts"), look("jobs/activity", { hours: HOURS })]);
  byId("operator-tiles").replaceChildren(...TILES.map((state) => tileOf(state, sumOf(counts, state))));
  byId("operator-counts").replaceChildren(...counts.map((each) => rowOf(each, counts)));
  byId("operator-plots").replaceChildren(...SERIES.map((series) => plotted(series, hours)));
}

function plotted(series, hours) {
  const [numbers, length] = [hours.map((hour) => hour[series]), hours.length];
  const [most, count] = [Math.max(...numbers), numbers.reduce((sum, each) => sum + each, 0)];
  const bars = hours.map(({ at }, place) => ({ from: place / length, to: (place + 1) / length, parts: [["", numbers[place]]], name: hourOf(at) }));
  return plotOf(`plot-${series}`, () => say(`operator.plot.${series}`, { count, hours: length, most }), bars, { most, gap: 2 });
}

const hourOf = (at) => new Intl.DateTimeFormat(locale(), { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(at));

const sumOf = (counts, state) => counts.filter((each) => each.state === state).reduce((sum, each) => sum + each.count, 0);

function tileOf(state, count) {
  const number = tellWith(make("dd"), () => numeral(count));
  return make("div", "tile", tellWith(make("dt"), () => stateLabel(state)), number);
}

function rowOf({ state, reason, count }, counts) {
  const title = tellWith(make("th"), () => [stateLabel(state), reason && reasonName(reason)].filter(Boolean).join(": "));
  title.scope = "row";
  const bar = make("progress", ENDED.has(state) ? "" : "warm");
  bar.value = count / Math.max(1, ...counts.map((each) => each.count));
  bar.setAttribute("aria-hidden", "true");
  return make("tr", "", title, tellWith(make("td", "number"), () => numeral(count)), make("td", "bar", bar));
}

const reasonName = (reason) => (has(`reason.${reason}`) ? say(`reason.${reason}`) : reason);
const numeral = (count) => new Intl.NumberFormat(locale()).format(count);
