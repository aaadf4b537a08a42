/** Modules that are loaded when they are first wanted. */

import { unreachable } from "./problem.js";

/** Resolves to what `load` does. An import that fails is a server that cannot be reached: so it throws Problem. */
export async function loaded(load) {
  try {
    return await load();
  } catch (error) {
    throw error instanceof TypeError ? unreachable() : error;
  }
}

/** A function that resolves to what `load` does, which is called once; again only after it has failed. Throws as `loaded`. */
export function once(load) {
  let loading = null;
  return () => {
    loading ??= loaded(load).catch((error) => {
      loading = null;
      throw error;
    });
    return loading;
  };
}
