/** The view /: uploads, jobs, and the local mails. */

import { expectMail, openMail, setUpMail } from "../account/mail.js";
import { setUpUploads } from "../upload/uploads.js";
import { addJob, openJobs, setUpJobs } from "./jobs.js";

setUpJobs(expectMail);
setUpMail();
setUpUploads(addJob);

export const open = () => Promise.all([openJobs(), openMail()]);
