/** The view /jobs/{id}: one job. */

import "./home.js";

export { closeJob as close, openJob as open } from "./jobs.js";
