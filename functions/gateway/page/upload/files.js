/** Where files come from: the browser's picker, with handles by which a file can be had again after a reload where there are such. */

import { Problem } from "../core/problem.js";

const isCancelled = (error) => error.name === "AbortError";

/** Takes a click on a file input over, where the browser has a picker that gives handles; `take` gets [{file, handle}]. */
export function pick(event, take) {
  if (!globalThis.showOpenFilePicker || !event.isTrusted) return;
  event.preventDefault();
  chosenFiles({ multiple: true }).then(take, () => event.target.click()); // where it is not allowed, by the one that all have
}

async function chosenFiles(options) {
  try {
    const handles = await showOpenFilePicker(options);
    return await Promise.all(handles.map(async (handle) => ({ file: await handle.getFile(), handle })));
  } catch (error) {
    if (isCancelled(error)) return [];
    throw error;
  }
}

/** The File of an Item that was left unfinished: by its handle if there is one, else whichever is chosen. Null if none is. */
export async function refetched({ handle }) {
  if (handle && (await granted(handle))) return fileOf(handle);
  return oneFile();
}

async function granted(handle) {
  const mode = { mode: "read" };
  return (await handle.queryPermission(mode)) === "granted" || (await handle.requestPermission(mode)) === "granted";
}

async function fileOf(handle) {
  try {
    return await handle.getFile();
  } catch {
    throw new Problem(400, "file-unreadable");
  }
}

/** Asks for one file; null if none is chosen. */
export function oneFile(accept = "") {
  const input = Object.assign(document.createElement("input"), { type: "file", accept });
  return new Promise((resolve) => {
    input.addEventListener("change", () => resolve(input.files[0] ?? null));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}
