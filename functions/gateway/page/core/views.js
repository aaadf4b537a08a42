/** Which part of the page is shown at which address, without loading it anew. */

import { byId, hideNotice, hideProblem, showProblem } from "./dom.js";
import { loaded, once } from "./late.js";
import { problemOf, unreachable } from "./problem.js";
import { loadMore, say, translate } from "./words.js";

const views = []; // {pattern, id, title, module}
const SIGNS = ["pointermove", "pointerdown", "keydown"]; // that somebody is about to do something
const MISSING = { id: "view-missing", title: "missing.title" };
let current = null;
let leaving = () => {}; // what the view that is shown does when one leaves it
let counted = 0; // what is under way, in the title
let later = null; // module → what it needs beside what is here already; once it is wanted
let allowed = false; // before somebody is signed in, no view is shown

/**
 * Shows the section `id` at paths such as /jobs/{id}. It is in the page, or names by data-part the file that it is in. `title` is a
 * key of words/, for the tab. `module`, by its path in page/, is loaded when the view is first shown; its `open` gets the parts of
 * the path, its `close`, if it has one, is called when one leaves.
 */
export function view(path, { id, module, title }) {
  const pattern = new RegExp(`^${path.replace(/{(\w+)}/g, "(?<$1>[^/]+)")}$`);
  views.push({ pattern, id, module, title });
}

/** Has the browser fetch what the view of this address needs, before it is known whether it may be shown. */
export function announceView() {
  const match = found(location.pathname);
  if (match) preload(match.found.module);
}

/** Wires links and the browser's own way back. */
export function setUpViews() {
  addEventListener("popstate", () => allowed && show().catch(showProblem));
  document.addEventListener("words", () => current && entitle());
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='/']");
    if (!link || !allowed || event.button || event.metaKey || event.ctrlKey || event.shiftKey || link.target) return;
    if (link.hasAttribute("download") || !found(link.pathname)) return;
    event.preventDefault();
    go(link.pathname).catch(showProblem);
  });
}

/** Goes to an address of the page. */
export function go(path) {
  if (path !== location.pathname) history.pushState(null, "", path);
  return show();
}

/** Shows what belongs to the address of now; resolves once that has loaded what it needs. */
export async function show() {
  allowed = true;
  const path = location.pathname;
  const match = found(path);
  const { open, close } = match ? await brought(match.found) : {};
  if (path !== location.pathname) return;
  if (current) forget();
  turnTo(match?.found ?? MISSING);
  leaving = close ?? leaving;
  await open?.(match.parts);
}

// First of all: what can be seen can be used.
async function brought({ id, module }) {
  preload(module);
  await bring(byId(id));
  return loaded(() => import(`../${module}`));
}

// What was said of the view that is left; what the way here has met is still news.
function forget() {
  hideProblem();
  hideNotice();
}

// The HTML of a view that few need is a file of its own.
async function bring(section) {
  const { part } = section.dataset;
  if (!part) return;
  const needed = [fetch(new URL(`../${part}`, import.meta.url)), loadMore(), sheet()];
  const [answer] = await Promise.all(needed).catch(() => Promise.reject(unreachable()));
  if (!answer.ok) throw problemOf(answer.status, "");
  const made = document.createElement("template");
  made.innerHTML = await answer.text();
  if (!section.dataset.part) return; // asked for twice
  delete section.dataset.part;
  translate(made.content);
  section.append(made.content);
}

// Of these views.
const sheet = once(() => {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("../style/later.css", import.meta.url) });
  const arrived = new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => { link.remove(); reject(unreachable()); });
  });
  document.head.append(link);
  return arrived;
});

/** Shows that there is nothing at this address after all, such as a job that is gone. */
export const showMissing = () => turnTo(MISSING);

function turnTo(next) {
  leaving();
  leaving = () => {};
  current = next;
  byId("loading").hidden = true;
  for (const section of document.querySelectorAll("[data-view]")) section.hidden = section.id !== next.id;
  for (const link of document.querySelectorAll("[data-nav]")) mark(link);
  entitle();
  byId(next.id).querySelector("h1")?.focus();
}

/** Has the browser fetch modules that may be wanted next, once a hand or a finger is on the page. */
export function fetchSoon(...modules) {
  const fetchNow = () => {
    for (const sign of SIGNS) removeEventListener(sign, fetchNow);
    modules.forEach(preload);
  };
  for (const sign of SIGNS) addEventListener(sign, fetchNow, { passive: true });
}

/** The server has listed what a module needs beside what is here already (functions/gateway/shell.py): the browser fetches it now. */
export function preload(module) {
  later ??= JSON.parse(document.querySelector("meta[name=later]").content);
  for (const name of later[module] ?? []) {
    const href = new URL(`../${name}`, import.meta.url);
    document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
  }
  delete later[module];
}

function found(path) {
  for (const each of views) {
    const match = each.pattern.exec(path);
    if (match) return { found: each, parts: match.groups ?? {} };
  }
  return null;
}

function mark(link) {
  if (link.pathname === location.pathname) link.ariaCurrent = "page";
  else link.removeAttribute("aria-current");
}

/** Says in the tab's title how many things are under way. */
export function count(things) {
  counted = things;
  if (current) entitle();
}

function entitle() {
  const title = current.title ? say("core.title", { title: say(current.title) }) : "audiolift";
  document.title = counted ? say("core.counted", { count: counted, title }) : title;
}
