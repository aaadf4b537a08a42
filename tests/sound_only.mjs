/** Takes the sound out of files as the page does: node sound_only.mjs MODULE IN OUT [IN OUT]…; prints the sizes, or null. */

import { pathToFileURL } from "node:url";
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";

const [module, ...paths] = process.argv.slice(2);
const { soundOf } = await import(pathToFileURL(module));
const sizes = [];
for (let at = 0; at < paths.length; at += 2) {
  const sound = await soundOf(await openAsBlob(paths[at]));
  if (sound) await writeFile(paths[at + 1], sound.stream());
  sizes.push(sound?.size ?? null);
}
console.log(JSON.stringify(sizes));
