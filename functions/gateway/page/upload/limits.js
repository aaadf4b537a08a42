/** What the server takes, which can be said before anything is sent. */

let asked = null;

/** How many bytes an upload may have at most; Infinity while that cannot be known. */
export function limit() {
  asked ??= ask();
  return asked;
}

// Tus-Max-Size (tus 1.0.0, OPTIONS).
async function ask() {
  const answer = await fetch("/v1/uploads", { method: "OPTIONS" }).catch(() => null);
  const size = Number(answer?.headers.get("Tus-Max-Size"));
  if (!size) asked = null;
  return size || Infinity;
}
