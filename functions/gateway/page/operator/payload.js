/** What was in a dead letter, as text that can be read: JSON laid out, other text as it is, all else as bytes. */

/** The whole letter of the API as text. */
export function contentOf({ attributes, headers, data }) {
  const parts = [attributes, headers].filter((each) => each && Object.keys(each).length).map((each) => JSON.stringify(each, null, 2));
  return [...parts, bodyOf(data)].filter(Boolean).join("\n\n");
}

function bodyOf(data) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return laidOut(text);
  } catch {
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  }
}

function laidOut(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
