/** The local mails: what a server that sends no mail out would have sent. */

import { askJson } from "../core/api.js";
import { announce, byId, guarded, stamp } from "../core/dom.js";
import { moment } from "../core/format.js";
import { say, tell, tellWith } from "../core/words.js";

const AFTER_MS = [1000, 4000, 12_000]; // a mail follows the end of its job by a little

export function setUpMail() {
  byId("mail-refresh").addEventListener("click", (event) => guarded(event.currentTarget, check));
}

/** Looks for mail; hides the panel where mail is really sent (404). */
export async function openMail() {
  try {
    await load();
    byId("mail").hidden = false;
  } catch (problem) {
    if (problem.status !== 404) throw problem;
  }
}

/** Looks again a few times, because mail is about to come. Asking all the time would keep a function awake. */
export function expectMail() {
  if (byId("mail").hidden) return;
  for (const wait of AFTER_MS) setTimeout(() => load().catch(() => {}), wait);
}

async function check() {
  const before = byId("mails").childElementCount;
  await load();
  const fresh = byId("mails").childElementCount - before;
  announce(fresh ? say("mail.new", { count: fresh }) : say("mail.none-new"));
}

async function load() {
  const { items } = await askJson("/v1/me/mail");
  const shown = new Set([...byId("mails").children].map((letter) => letter.dataset.id));
  const fresh = items.filter((mail) => !shown.has(mail.id));
  fresh.sort((one, other) => (one.sent_at < other.sent_at ? -1 : 1));
  for (const mail of fresh) byId("mails").prepend(letterOf(mail));
  byId("mail-empty").hidden = byId("mails").childElementCount > 0;
}

function letterOf({ id, to, subject, sent_at, text }) {
  const letter = stamp("letter");
  const fill = (selector, content) => (letter.querySelector(selector).textContent = content);
  letter.dataset.id = id;
  fill(".subject", subject);
  fill(".text", text);
  tell(letter.querySelector(".to"), "mail.to", { to });
  tellWith(letter.querySelector("time"), () => moment(sent_at));
  letter.querySelector("time").dateTime = sent_at;
  return letter;
}
