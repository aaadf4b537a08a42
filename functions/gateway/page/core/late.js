/** Modules that are loaded when they are first wanted. */

import { unreachable } from "./problem.js";

/**
 * A function that resolves to what `load` does, which is called once; again only after it has failed. An import that fails is a
 * server that cannot be reached: so it throws Problem.
 */
export function once(load) {
  let loading = null;
  return () => {
    loading ??= load().catch((error) => {
      loading = null;
      throw error instanceof TypeError ? unreachable() : error;
    });
    return loading;
  };
}
