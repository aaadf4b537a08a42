/** What is sent of a file instead of all of it. What does that is loaded when it is needed, not with the page. */

/**
 * The sound of a video as a Blob, or null where the file had better be sent whole. `onProgress` gets 0–1 while it is read.
 * Throws an AbortError once `signal` is aborted, and nothing else.
 */
export async function reduced(file, { signal, onProgress }) {
  try {
    const { soundOf } = await import("../sound/extract.js");
    const sound = await soundOf(file, { signal, onProgress });
    return sound && (await sound.read(0, sound.size));
  } catch {
    // Either it was cancelled, or this part of the page could not be loaded.
    signal.throwIfAborted();
    return null;
  }
}
