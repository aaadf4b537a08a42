/** What runs of each function: now as a table, and how many over the time in which this view is open. */

import { byId, make } from "../core/dom.js";
import { moment } from "../core/format.js";
import { said } from "../core/problem.js";
import { locale, say, tell, tellWith } from "../core/words.js";
import { look } from "./asking.js";
import { plotOf } from "./plot.js";

const [WINDOW_MS, PERIOD_MS] = [900_000, 10_000];
const STATES = ["ready", "starting", "terminating"];
// After a longer pause (the tab was hidden) nobody knows how many there were.
const LONGEST_MS = 30_000;
const samples = []; // {at, items}, oldest first
const BADGES = { ready: "badge", starting: "badge warm", failed: "badge bad" };

/** Shows what there is now. Never throws: the other figures go on without. */
export async function refreshFunctions() {
  try {
    const { unseen, items } = await look("functions");
    if (unseen) return missing(() => say(`operator.functions.unseen.${unseen}`));
    show(items);
  } catch (error) {
    missing(() => say("operator.functions.unseen.unanswered", { problem: said(error).title }));
  }
}

function missing(give) {
  tellWith(byId("functions-unseen"), give);
  byId("functions-unseen").hidden = false;
  byId("functions-seen").hidden = true;
}

function show(items) {
  const now = Date.now();
  samples.push({ at: now, items });
  while (samples[0].at < now + PERIOD_MS - WINDOW_MS) samples.shift();
  const most = Math.max(...samples.flatMap((each) => each.items.map(sumOf)));
  byId("functions-plots").replaceChildren(...items.map((each) => plotted(each, most, now)));
  byId("functions").replaceChildren(byId("functions").tHead, ...items.map(bodyOf));
  byId("functions-unseen").hidden = true;
  byId("functions-seen").hidden = false;
}

const sumOf = (item) => STATES.reduce((sum, state) => sum + item[state], 0);

function plotted(item, highest, now) {
  const told = samples.map(({ at, items }) => ({ at, item: items.find(({ name }) => name === item.name) }));
  const most = Math.max(...told.map((each) => sumOf(each.item)));
  const bars = runs(told).map(([first, end]) => ({
    from: placeOf(first.at, now),
    to: placeOf(end, now),
    parts: STATES.map((state) => [state, first.item[state]]),
    name: timeOf(first.at),
  }));
  return plotOf("plot-instances", () => say(most > sumOf(item) ? "operator.functions.plot.more" : "operator.functions.plot", { name: item.name, count: sumOf(item), most }), bars, { most: highest });
}

// What did not change is one bar, up to the next sample.
function runs(told) {
  const found = [];
  for (const [place, each] of told.entries()) {
    const end = Math.min(told[place + 1]?.at ?? each.at + PERIOD_MS, each.at + LONGEST_MS);
    const last = found.at(-1);
    if (last && last[1] === each.at && STATES.every((state) => last[0].item[state] === each.item[state])) last[1] = end;
    else found.push([each, end]);
  }
  return found;
}

const placeOf = (at, now) => 1 - (now + PERIOD_MS - at) / WINDOW_MS;
const timeOf = (at) => new Intl.DateTimeFormat(locale(), { timeStyle: "medium" }).format(new Date(at));

// A group of rows for each function: its name is said once, for all of its instances.
function bodyOf({ name, instances }) {
  const title = make("th", "", name);
  title.scope = "rowgroup";
  title.rowSpan = Math.max(1, instances.length);
  const rows = instances.length ? instances.map((each) => make("tr", "", ...cellsOf(each))) : [make("tr", "", none())];
  rows[0].prepend(title);
  return make("tbody", "", ...rows);
}

function none() {
  const cell = tell(make("td", "dull"), "operator.functions.none");
  cell.colSpan = 5;
  return cell;
}

function cellsOf({ name, state, why, since, revision, restarts, last_end }) {
  const badge = tellWith(make("span", BADGES[state] ?? "badge dull"), () => say(`operator.functions.state.${state}`));
  const cells = [make("td", "", badge, why ? ` ${why}` : ""), tellWith(make("td", "when"), () => moment(since)), make("td", "ident", revision)];
  cells[2].title = name;
  return [...cells, make("td", "number", String(restarts)), tellWith(make("td", "end"), () => (last_end ? endOf(last_end) : "–"))];
}

function endOf({ reason, exit_code, at }) {
  const what = reason ?? say("operator.functions.code", { code: exit_code });
  return at ? say("operator.functions.ended", { reason: what, when: moment(at) }) : what;
}
