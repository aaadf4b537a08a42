/** What one can do with a job. Each throws what went wrong; the list shows it where it belongs. */

import { ask, askJson, local } from "../core/api.js";

const JSON_TYPE = { "Content-Type": "application/json" };
const DELETED_AT_ONCE = 100;
const IN_A_ZIP = 1000;
const MOST_TRIES = 5;

/** The job as it is now. */
export const look = (job) => askJson(local(job.links.self));

/** POSTs to one of its links. Returns the job. */
export const change = (link) => askJson(local(link), { method: "POST" });

/** Converts it again, as retryOf says. */
export function retry(job, { options }) {
  const body = options && { headers: JSON_TYPE, body: JSON.stringify({ options }) };
  return askJson(local(job.links.retry), { method: "POST", ...body });
}

export function rename(job, filename) {
  return askJson(local(job.links.self), { method: "PATCH", headers: JSON_TYPE, body: JSON.stringify({ filename }) });
}

export const discard = (job) => ask(local(job.links.self), { method: "DELETE" });

/** Deletes many; `done(ids)` is called for each part of them. */
export async function discardAll(jobs, done) {
  for (const ids of parts(jobs.map(({ id }) => id), DELETED_AT_ONCE)) {
    await post("/v1/jobs/delete", { ids });
    done(ids);
  }
}

/** Retries many, one after the other, no faster than the server lets one; `done(job, again)` and `failed(job, error)` say of each. */
export async function retryAll(jobs, retryOf, done, failed) {
  for (const job of jobs) {
    try {
      done(await patiently(() => retry(job, retryOf(job))));
    } catch (error) {
      failed(job, error);
    }
  }
}

/** Has the browser fetch the MP3s of many as one zip; of very many, as several. */
export async function downloadAll(jobs) {
  for (const ids of parts(jobs.map(({ id }) => id), IN_A_ZIP)) save((await post("/v1/archives", { ids })).url);
}

export async function download(job) {
  const { url, name } = await sourceOf(job);
  save(url, name);
}

/**
 * A URL that plays without a token: a fresh signed link, for they run out, else the whole MP3 in memory. And the file's name: the server
 * has it, and where it answers itself, no name stands in its way.
 */
export async function sourceOf(job) {
  const { links } = await look(job);
  if (links.download) return { url: local(links.download), name: "" };
  const answer = await ask(local(links.audio ?? `${links.self}/audio`));
  const name = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition"));
  return { url: URL.createObjectURL(await answer.blob()), name: name ? decodeURIComponent(name[1]) : "" };
}

function save(url, name = "") {
  const link = document.createElement("a");
  link.href = url.startsWith("blob:") ? url : local(url);
  link.download = name;
  link.click();
}

const post = (url, value) => askJson(url, { method: "POST", headers: JSON_TYPE, body: JSON.stringify(value) });

async function patiently(action) {
  for (let tries = 1; ; tries++) {
    try {
      return await action();
    } catch (error) {
      if (error.status !== 429 || tries === MOST_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 15_000));
    }
  }
}

function parts(all, size) {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size));
}
