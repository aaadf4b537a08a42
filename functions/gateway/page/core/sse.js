/** Server-sent events over fetch: EventSource cannot send an Authorization header. */

/**
 * Yields {event, data, id} for each event of a text/event-stream body (a ReadableStream of bytes); `id` is the newest one, undefined if
 * there was none. `heard` is called whenever anything comes, a comment too.
 */
export async function* eventsOf(body, heard = () => {}) {
  let rest = "";
  let id;
  let pending = { event: "message", data: [] };
  for await (const chunk of chunksOf(body.pipeThrough(new TextDecoderStream()))) {
    heard();
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line) note(pending, line);
      else {
        id = pending.id ?? id;
        if (pending.data.length) yield { event: pending.event, data: pending.data.join("\n"), id };
        pending = { event: "message", data: [] };
      }
    }
  }
}

function note(pending, line) {
  const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
  if (field === "event") pending.event = value;
  if (field === "id") pending.id = value;
  if (field === "data") pending.data.push(value);
}

// Not every browser lets one iterate over a stream.
async function* chunksOf(stream) {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}
