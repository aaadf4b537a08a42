/** A page of the gateway that has no script but this: it speaks the language that was chosen here. */

import { load, translate } from "./words.js";

await load();
translate();
