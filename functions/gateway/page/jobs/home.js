/** The view /: uploads, jobs, and the local mails. */

import { expectMail, openMail, setUpMail } from "../account/mail.js";
import { openUploads, setUpUploads } from "../upload/uploads.js";
import { fetchSoon } from "../core/views.js";
import { addJob, openJobs, setUpJobs } from "./jobs.js";

setUpJobs(expectMail);
setUpMail();
setUpUploads(addJob);
fetchSoon("jobs/deeds.js", "jobs/player.js", "upload/list.js");

export const open = () => openUploads().then(() => Promise.all([openJobs(), openMail()]));
