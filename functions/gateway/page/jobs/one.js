/** The view /jobs/{id}: one conversion, with its waveform as wide as the page. */

import "./home.js";
import { askJson, local } from "../core/api.js";
import { byId } from "../core/dom.js";
import { closeJob, openJob } from "./jobs.js";
import { canPlay } from "./row.js";
import { Waveform } from "./waveform.js";

const wave = new Waveform(byId("job-wave"));
let of = null; // the id of the job whose waveform is asked for, or shown

// For who sees: what it does, the button beside the name does, too.
byId("job-wave-box").addEventListener("click", () => byId("job-alone").querySelector(".job-play").click());

export const open = (parts) => openJob(parts, showWave);

export function close() {
  of = null;
  closeJob();
}

async function showWave(job) {
  byId("job-wave-box").hidden = !canPlay(job) || !job.links.peaks;
  if (byId("job-wave-box").hidden || of === job.id) return;
  of = job.id;
  wave.show(null);
  const { peaks } = await askJson(local(job.links.peaks)).catch(() => ({ peaks: null }));
  if (of === job.id) wave.show(peaks);
}
