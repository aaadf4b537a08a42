/** What one is told of, and how: each kind of event by each channel, and the language of mails. */

import { askJson, sending } from "../core/api.js";
import { byId, make } from "../core/dom.js";
import { onSubmit } from "../core/forms.js";
import { toast } from "../core/toast.js";
import { has, label, LANGUAGES, say, tellWith } from "../core/words.js";

const URL = "/v1/me/notifications";
const MAIL = "mail";
const SMS = "sms";

let shown = null; // the preferences as the server has them
let withSms = false;

/** Wires the form. */
export function setUpNotifications() {
  byId("notifications-language").append(...Object.entries(LANGUAGES).map(([tag, name]) => new Option(name, tag)));
  onSubmit(byId("notifications"), save);
}

/** Shows what was chosen; SMS too, if there is a number that they `come` to. */
export async function openNotifications(come) {
  withSms = come;
  show(await askJson(URL));
}

function show(preferences) {
  shown = preferences;
  const services = [...new Set(Object.values(preferences.events).flatMap((each) => Object.keys(each.services ?? {})))].sort();
  const own = withSms ? [MAIL, SMS] : [MAIL];
  byId("notifications-head").replaceChildren(make("td"), ...[...own, ...services].map(headOf));
  const rows = Object.entries(preferences.events).map(([kind, channels]) => rowOf(kind, channels, own, services));
  byId("notifications-rows").replaceChildren(...rows);
  byId("notifications-language").value = preferences.language;
}

function headOf(channel) {
  const cell = tellWith(make("th"), () => channelName(channel));
  cell.scope = "col";
  return cell;
}

function rowOf(kind, channels, own, services) {
  const title = tellWith(make("th"), () => kindName(kind));
  title.scope = "row";
  // Of some there are mails alone.
  const byOwn = own.map((each) => (each in channels ? [tickOf(kind, each, channels[each])] : []));
  const byServices = services.map((each) => (channels.services ? [tickOf(kind, each, channels.services[each])] : []));
  return make("tr", "", title, ...[...byOwn, ...byServices].map((tick) => make("td", "", ...tick)));
}

function tickOf(kind, channel, ticked) {
  const box = make("input");
  Object.assign(box, { type: "checkbox", checked: Boolean(ticked) });
  Object.assign(box.dataset, { kind, channel });
  return label(box, "notices.tick", { kind: () => kindName(kind), channel: () => channelName(channel) });
}

async function save() {
  const events = Object.fromEntries(Object.keys(shown.events).map((kind) => [kind, chosen(kind)]));
  show(await askJson(URL, sending("PUT", { events, language: byId("notifications-language").value })));
  toast("notices.saved");
}

// What is not shown here stays as it is.
function chosen(kind) {
  const boxes = [...byId("notifications-rows").querySelectorAll("input")].filter((each) => each.dataset.kind === kind);
  const ticked = Object.fromEntries(boxes.map((each) => [each.dataset.channel, each.checked]));
  const before = shown.events[kind];
  const { [MAIL]: mail, [SMS]: sms = before.sms, ...services } = ticked;
  return { ...before, mail, ...("sms" in before && { sms }), ...(before.services && { services }) };
}

/** What a type of event is called; one of a newer release by its own name. */
export const kindName = (kind) => (has(`notices.kind.${kind}`) ? say(`notices.kind.${kind}`) : kind);

const channelName = (channel) => ([MAIL, SMS].includes(channel) ? say(`notices.${channel}`) : channel);
