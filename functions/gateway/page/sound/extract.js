/**
 * Takes the sound out of a video before it is sent.
 *
 * A container is not written anew. The one that is there stays as it is: its index, tags, cover, chapters, edit lists, all
 * of its sound, to the byte. Only the pictures are left out, and the numbers are put right that say where in the file
 * something is. So whoever reads it later finds the same sound at the same time, in every codec there is.
 *
 * Of each track that is left out, the first pictures stay as stubs of a few bytes, since the clock of a video
 * begins with the first of all its tracks.
 */

import { mp4 } from "./mp4.js";
import { matroska } from "./matroska.js";
import { Source, Unsure } from "./source.js";

const KINDS = [mp4, matroska];
const HEAD = 1024;
// Less than a fifth is not worth the risk.
const WORTHWHILE = 0.8;

/**
 * What to send instead of a Blob or File: {size, read}, where `read(start, stop, signal)` resolves to these bytes of it,
 * in memory that does not grow with the file. Null where the file had better be sent as it is: what it is is not known, or
 * it looks damaged, or little would be saved. `onProgress` gets 0–1; once `signal` is aborted, an AbortError is thrown.
 */
export async function soundOf(file, { signal, onProgress } = {}) {
  const recipe = await recipeOf(new Source(file, { signal, onProgress }));
  if (!recipe || recipe.size > WORTHWHILE * file.size) return null;
  const source = new Source(file);
  return { size: recipe.size, read: (start, stop) => recipe.read(source, start, stop) };
}

async function recipeOf(source) {
  const head = await source.upTo(0, HEAD);
  const kind = KINDS.find(({ begins }) => begins(head));
  try {
    return kind ? await kind.recipe(source) : null;
  } catch (error) {
    // What cannot be read, for instance because it was moved meanwhile, is for the upload to tell.
    if (error instanceof Unsure || error.name === "NotReadableError" || error.name === "NotFoundError") return null;
    throw error;
  }
}
