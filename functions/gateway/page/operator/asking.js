/** Requests of an operator, by a token that is for these alone. */

import { askJson } from "../core/api.js";

/** The JSON of a GET below /v1/admin, with what is not empty of `query`. */
export function look(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  return askJson(`/v1/admin/${path}?${new URLSearchParams(given)}`, { scope: "admin" });
}

/** The same for a POST. */
export const act = (path, options = { method: "POST" }) => askJson(`/v1/admin/${path}`, { ...options, scope: "admin" });
