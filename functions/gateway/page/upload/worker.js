/** Makes one request, for requests.js. */

import { bring } from "./bring.js";

addEventListener("message", ({ data }) => bring(data, (told) => postMessage(told)));
postMessage({ isReady: true });
