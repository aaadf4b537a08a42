/**
 * What the page says, in the language of who reads it. All texts are in words/, one file for each language; those of views that
 * few open are in words/later/.
 *
 * A text is shown by `tell`, or by data-say in the HTML, and follows a change of the language by itself. `say` gives the
 * text alone, for what is put together of several.
 */

export const LANGUAGES = { en: "English", de: "Deutsch" };

const KEY = "audiolift.language";
const LOCALES = { en: "en-GB", de: "de" }; // for dates: not the American order

let spoken = "en";
let words = null;
let wanted = null; // the language that was asked for last
let hasMore = false; // whether words/later/ is wanted, too
let plural = null;
const values = new WeakMap(); // element → what its text is filled with

/** The language that was chosen here, else the first that the browser asks for and that there is. */
export function preferred() {
  const liked = [stored(), ...navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase())];
  return liked.find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en";
}

/** Loads the texts; nothing is said before. */
export async function load(language = preferred()) {
  wanted = language;
  const all = hasMore;
  const files = all ? [`../words/${language}.js`, `../words/later/${language}.js`] : [`../words/${language}.js`];
  const loaded = await Promise.all(files.map((file) => import(file)));
  if (wanted !== language || hasMore !== all) return load(wanted);
  words = Object.assign({}, ...loaded.map((each) => each.default));
  [spoken, plural] = [language, new Intl.PluralRules(language)];
}

/** Loads the texts of words/later/ as well, from now on. */
export async function loadMore() {
  hasMore = true;
  await load(wanted);
}

/** Puts the page into another language, now and from now on. */
export async function choose(language) {
  await load(language);
  store(language);
  tellServer(language);
  translate();
  document.dispatchEvent(new Event("words"));
}

/** For Intl. */
export const locale = () => LOCALES[spoken] ?? spoken;
export const language = () => spoken;

/** Whether there is a text for this key. */
export const has = (key) => Object.hasOwn(words, key);

/**
 * The text of a key, with each {name} filled in from `given`: a text, a number, or a function that gives one. By
 * `given.count` it is chosen among key.one, key.other and what else the language has (Intl.PluralRules).
 */
export function say(key, given = {}) {
  const text = words[key] ?? words[`${key}.${plural.select(given.count ?? 0)}`] ?? words[`${key}.other`];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/{(\w+)}/g, (_, name) => read(given[name]));
}

/** Makes the text of an element that of a key, in whatever language is spoken. */
export function tell(element, key, given = {}) {
  element.dataset.say = key;
  values.set(element, given);
  element.textContent = say(key, given);
  return element;
}

/** The same for a text that is put together of several: `give` gives it, whenever the language changes. */
export function tellWith(element, give) {
  element.dataset.say = "";
  values.set(element, give);
  element.textContent = give() ?? "";
  return element;
}

/** The text of a key as what is heard of an element only: its aria-label. */
export function label(element, key, given = {}) {
  element.dataset.sayLabel = key;
  values.set(element, given);
  element.setAttribute("aria-label", say(key, given));
  return element;
}

/** Says everything below `root` again, in the language of now. */
export function translate(root = document) {
  document.documentElement.lang = spoken;
  for (const each of root.querySelectorAll("[data-say]")) each.textContent = again(each) ?? "";
  for (const each of root.querySelectorAll("[data-say-label]")) {
    each.setAttribute("aria-label", say(each.dataset.sayLabel, values.get(each)));
  }
  for (const each of root.querySelectorAll("template")) translate(each.content);
}

function again(element) {
  const { say: key } = element.dataset;
  return key ? say(key, values.get(element)) : values.get(element)();
}

const read = (value) => {
  const given = typeof value === "function" ? value() : value;
  return typeof given === "number" ? new Intl.NumberFormat(locale()).format(given) : String(given ?? "");
};

// A browser that keeps nothing for this site throws.
function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

// So that the page comes in this language, when it is opened again.
function tellServer(language) {
  document.cookie = `audiolift-language=${language}; Max-Age=31536000; Path=/; SameSite=Lax`;
}

function store(language) {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // For this visit, then.
  }
}
