/** What was sent to a webhook: each delivery with its tries, and the button that sends it again. */

import { ask, askJson } from "../core/api.js";
import { button, make } from "../core/dom.js";
import { moment } from "../core/format.js";
import { toast } from "../core/toast.js";
import { has, say, tell, tellWith } from "../core/words.js";
import { kindName } from "./notifications.js";

const PER_PAGE = 10;
const BADGES = { sent: "", refused: "bad", waiting: "warm" };

/** Shows the deliveries of the webhook at this address in `log`, or puts them away. */
export async function openDeliveries(here, log) {
  if (!log.hidden) return log.replaceChildren(), (log.hidden = true);
  log.hidden = false;
  log.replaceChildren();
  return more(here, log);
}

async function more(here, log, cursor = null) {
  const query = new URLSearchParams({ limit: PER_PAGE, ...(cursor && { cursor }) });
  const { items, next_cursor } = await askJson(`${here}/deliveries?${query}`);
  if (!cursor && !items.length) log.append(tell(make("p", "empty"), "hooks.log.empty"));
  log.append(...items.map((each) => entryOf(here, each, log)));
  if (!next_cursor) return;
  const next = button("jobs.more", "", () => more(here, log, next_cursor).then(() => next.remove()), { kind: "quiet" });
  log.append(next);
}

function entryOf(here, delivery, log) {
  const state = tellWith(make("span", `badge ${BADGES[delivery.state] ?? ""}`), () => stateName(delivery.state));
  const title = tellWith(make("span"), () => `${kindName(delivery.type)}, ${moment(delivery.created_at)}`);
  const again = button("hooks.redeliver", title.textContent, () => redeliver(here, delivery.id, log), { kind: "quiet" });
  const tries = make("ol", "tries", ...delivery.attempts.map(tryOf));
  const reason = delivery.reason ? [make("p", "form-problem", delivery.reason)] : [];
  return make("article", "delivery", make("div", "row", title, state), ...reason, tries, again);
}

function tryOf({ at, outcome, status, detail }) {
  const parts = () => [moment(at), outcomeName(outcome), status, detail].filter(Boolean);
  return tellWith(make("li"), () => parts().join(" · "));
}

const stateName = (state) => (has(`hooks.state.${state}`) ? say(`hooks.state.${state}`) : state);
const outcomeName = (outcome) => (has(`hooks.outcome.${outcome}`) ? say(`hooks.outcome.${outcome}`) : outcome);

async function redeliver(here, id, log) {
  await ask(`${here}/deliveries/${id}/redeliver`, { method: "POST" });
  toast("hooks.redelivered");
  log.replaceChildren();
  await more(here, log);
}
