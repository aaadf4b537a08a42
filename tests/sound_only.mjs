/** Takes the sound out of files as the page does: node sound_only.mjs MODULE IN OUT [IN OUT]…; prints the sizes, or null. */

import { pathToFileURL } from "node:url";
import { openAsBlob } from "node:fs";
import { open } from "node:fs/promises";

const STEP = 100_003; // what is asked for at a time: such that borders lie anywhere

const [module, ...paths] = process.argv.slice(2);
const { soundOf } = await import(pathToFileURL(module));
const sizes = [];
for (let at = 0; at < paths.length; at += 2) {
  const sound = await soundOf(await openAsBlob(paths[at]));
  if (sound) await save(sound, paths[at + 1]);
  sizes.push(sound?.size ?? null);
}
console.log(JSON.stringify(sizes));

async function save(sound, path) {
  const file = await open(path, "w");
  for (let at = 0; at < sound.size; at += STEP) {
    await file.write(new Uint8Array(await new Blob(await sound.read(at, at + STEP)).arrayBuffer()));
  }
  await file.close();
}
