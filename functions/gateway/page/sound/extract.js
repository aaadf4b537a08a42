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

import { flash } from "./flash.js";
import { interleaved } from "./interleaved.js";
import { matroska } from "./matroska.js";
import { mp4 } from "./mp4.js";
import { Parts } from "./parts.js";
import { Source } from "./source.js";
import { transport } from "./transport.js";

const KINDS = [mp4, matroska, flash, interleaved, transport];
const HEAD = 1024;

/**
 * What to send instead of a Blob or File, as an Excerpt: it refers to the file. Null where the file had better be sent as it is: what it
 * is is not known, or it looks damaged, or little would be saved. `onProgress` gets 0–1; once `signal` is aborted, its reason is thrown.
 */
export async function soundOf(file, { signal, onProgress } = {}) {
  try {
    return await taken(new Source(file, { signal, onProgress }));
  } catch {
    // Unsure, or numbers so wild that something broke over them. What cannot be read is for the upload to tell.
    signal?.throwIfAborted();
    return null;
  }
}

async function taken(source) {
  const head = await source.upTo(0, HEAD);
  const kind = KINDS.find(({ begins }) => begins(head));
  if (!kind) return null;
  const parts = new Parts(source);
  await kind.take(source, parts);
  return parts.done();
}
