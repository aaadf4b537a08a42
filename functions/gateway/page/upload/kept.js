/**
 * What a browser keeps of uploads that are not over, so that they go on after a reload or a crash: in IndexedDB, which takes the handle
 * of a file, too. Where a browser keeps nothing, uploads work all the same, and are lost with the page.
 *
 * A record is {id, account, url, whole, options, file: {name, size, modified, marks}, sent: {size, marks}, handle, at}.
 */

const [NAME, VERSION, STORE] = ["audiolift", 1, "uploads"];
const CHANNEL = "audiolift.uploads";
const ANSWER_MS = 300;
// As long as the server keeps an upload that nobody goes on with, unless it is configured otherwise (UPLOAD_GRACE_SECONDS).
const FORGET_MS = 7 * 86_400_000;

let opening = null;
const running = new Set(); // ids of this tab
const channel = globalThis.BroadcastChannel ? new BroadcastChannel(CHANNEL) : null;
channel?.addEventListener("message", ({ data }) => data === "who" && running.size && channel.postMessage([...running]));

/** Keeps a record, or changes it. It counts as one that this tab goes on with. */
export async function keep(record) {
  running.add(record.id);
  await within("readwrite", (store) => store.put(record));
}

export async function forget(id) {
  running.delete(id);
  await within("readwrite", (store) => store.delete(id));
}

/** The records of an account that no tab goes on with. */
export async function unfinished(account) {
  const records = await within("readonly", (store) => store.getAll());
  const others = records?.length ? await elsewhere() : new Set();
  const old = (records ?? []).filter(({ at }) => at < Date.now() - FORGET_MS);
  await Promise.all(old.map(({ id }) => forget(id)));
  const isFree = ({ id, account: whose }) => whose === account && !running.has(id) && !others.has(id);
  return (records ?? []).filter((record) => isFree(record) && !old.includes(record));
}

/** The ids that other tabs go on with: they are asked. */
function elsewhere() {
  const found = new Set();
  if (!channel) return found;
  return new Promise((resolve) => {
    const onAnswer = ({ data }) => Array.isArray(data) && data.forEach((id) => found.add(id));
    channel.addEventListener("message", onAnswer);
    channel.postMessage("who");
    setTimeout(() => { channel.removeEventListener("message", onAnswer); resolve(found); }, ANSWER_MS);
  });
}

// Resolves to what the request gives; to undefined where the browser keeps nothing.
async function within(mode, use) {
  try {
    const base = await (opening ??= opened());
    return await done(use(base.transaction(STORE, mode).objectStore(STORE)));
  } catch {
    opening = null;
    return undefined;
  }
}

function opened() {
  const request = indexedDB.open(NAME, VERSION);
  request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE, { keyPath: "id" }));
  return done(request);
}

const done = (request) =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
    request.addEventListener("blocked", () => reject(request.error));
  });
