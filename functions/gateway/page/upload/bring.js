/** Makes the request of a Job, and tells its course: {loaded} in bytes, at last {status, headers, body}, or {failed} where no answer came. */
export function bring({ method, url, headers, parts }, tell) {
  const request = new XMLHttpRequest();
  request.open(method, url);
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  request.upload.addEventListener("progress", ({ loaded }) => tell({ loaded }));
  request.addEventListener("load", () => tell({ status: request.status, headers: headersOf(request), body: request.responseText }));
  request.addEventListener("error", () => tell({ failed: true }));
  request.send(new Blob(parts));
  return request;
}

const headersOf = (request) => Object.fromEntries(request.getAllResponseHeaders().trim().split("\r\n").map(pair));

// Their names are in small letters.
function pair(line) {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
