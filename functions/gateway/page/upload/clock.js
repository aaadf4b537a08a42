/** Times in a video, as people write them: 1:02:05.5. */

/** Seconds → text. */
export function clock(value) {
  const [hours, minutes] = [Math.floor(value / 3600), Math.floor(value / 60) % 60];
  const rest = Number((value % 60).toFixed(3));
  const parts = hours ? [hours, minutes, rest] : [minutes, rest];
  return parts.map((part, place) => (place && part < 10 ? `0${part}` : part)).join(":");
}

/** Text → seconds; undefined for what is no time. A comma may stand for the point. */
export function seconds(text) {
  const parts = text.trim().replace(",", ".").split(":");
  const isTime = parts.length <= 3 && parts.every((part, place) => /^\d+(\.\d+)?$/.test(part) && (place === parts.length - 1 || !part.includes(".")));
  return isTime ? Number(parts.reduce((sum, part) => sum * 60 + Number(part), 0).toFixed(3)) : undefined;
}
