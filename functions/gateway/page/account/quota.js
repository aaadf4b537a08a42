/** What the account has, and may have. */

import { askJson } from "../core/api.js";
import { byId, make } from "../core/dom.js";
import { bytes } from "../core/format.js";
import { say, tell, tellWith } from "../core/words.js";

// How amounts of each quota read.
const READ = {
  jobs: (count) => say("quota.count", { count }),
  stored_bytes: bytes,
  minutes_a_day: (count) => say("quota.minutes", { count: Math.ceil(count) }),
};

/** Shows how it stands now. */
export async function openQuotas() {
  const { usage, quotas } = await askJson("/v1/me");
  byId("quotas").replaceChildren(...Object.keys(READ).map((name) => lineOf(name, usage[name], quotas[name])));
}

function lineOf(name, has, may) {
  const title = tell(make("span"), `quota.${name}`);
  const amount = tellWith(make("strong"), () => amountOf(READ[name], has, may));
  const line = make("li", "", make("div", "row", title, amount));
  if (may) line.append(barOf(has / may, title.textContent));
  return line;
}

const amountOf = (read, has, may) => (may ? say("quota.of", { has: read(has), may: read(may) }) : read(has));

function barOf(share, name) {
  const bar = make("progress");
  bar.value = Math.min(1, share);
  bar.setAttribute("aria-label", name);
  return bar;
}
