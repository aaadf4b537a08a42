/** How loud a local video is, over its time: for a picture of it. */

import { bytesOf, contentsOf } from "./contents.js";

const PEAKS = 400;
// The browser decodes all of it at once, into memory: four bytes a sample and channel.
const [MOST_SECONDS, MOST_BYTES, RATE] = [1200, 128 * 1024 * 1024, 8000];

/** So many peaks from 0 to 1, or null where that would take too much memory. Throws where the browser cannot decode it. */
export async function waveform(file, duration, signal) {
  if (duration > MOST_SECONDS) return null;
  const contents = await contentsOf(file, { whole: false, signal });
  if (contents.size > MOST_BYTES) return null;
  const context = new OfflineAudioContext(1, 1, RATE);
  const sound = await context.decodeAudioData((await bytesOf(await contents.read(0, contents.size))).buffer);
  signal.throwIfAborted();
  return peaksOf(sound);
}

function peaksOf(sound) {
  const samples = sound.getChannelData(0);
  const found = new Float32Array(PEAKS);
  const width = samples.length / PEAKS;
  for (let peak = 0; peak < PEAKS; peak++) {
    for (let at = Math.floor(peak * width); at < (peak + 1) * width; at++) found[peak] = Math.max(found[peak], Math.abs(samples[at] ?? 0));
  }
  const loudest = Math.max(...found) || 1;
  return found.map((value) => value / loudest);
}
