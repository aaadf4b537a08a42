/** Files that end too early: the owner may have what there is of them. */

import { askJson, local } from "../core/api.js";

/** Whether the option `partial` would help a job. The API says so where it does: nothing can be had of a file without an index. */
export const helpsPartial = ({ error, links, options }) =>
  Boolean(links.retry && error?.code === "truncated" && error.detail.includes("`partial`") && !options.partial);

/** Queues it again with that option. Resolves to the job. */
export function retryPartial({ links, options }) {
  const body = JSON.stringify({ options: { ...options, partial: true } });
  return askJson(local(links.retry), { method: "POST", headers: { "Content-Type": "application/json" }, body });
}
