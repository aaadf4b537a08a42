/** The view /operator: what is to do, what went wrong, and who is there; asked for when it is opened, and now and then. */

import { setUpCourse } from "./course.js";
import { refreshFigures } from "./figures.js";
import { refreshFunctions } from "./functions.js";
import { openManaged, setUpManaged } from "./jobs.js";
import { openLetters, setUpLetters } from "./letters.js";
import { openPeople, setUpPeople } from "./people.js";
import { openRefused, setUpRefused } from "./refused.js";

const PERIOD_MS = 10_000;
let timer = null;

setUpManaged();
setUpCourse();
setUpRefused();
setUpLetters();
setUpPeople();

export function open() {
  timer ??= setInterval(() => document.hidden || refresh().catch(() => {}), PERIOD_MS);
  return Promise.all([refresh(), openManaged(), openRefused(), openLetters(), openPeople()]);
}

const refresh = () => Promise.all([refreshFigures(), refreshFunctions()]);

export function close() {
  clearInterval(timer);
  timer = null;
}
