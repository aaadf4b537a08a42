/** Server-sent events over fetch: EventSource cannot send an Authorization header. */

/** Yields {event, data} for each event of a text/event-stream body (a ReadableStream of bytes). */
export async function* eventsOf(body) {
  let rest = "";
  let pending = { event: "message", data: [] };
  for await (const chunk of chunksOf(body.pipeThrough(new TextDecoderStream()))) {
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line) note(pending, line);
      else {
        if (pending.data.length) yield { event: pending.event, data: pending.data.join("\n") };
        pending = { event: "message", data: [] };
      }
    }
  }
}

function note(pending, line) {
  const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
  if (field === "event") pending.event = value;
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
