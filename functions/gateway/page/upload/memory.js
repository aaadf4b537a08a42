/** What this browser remembers of choices, as JSON. One that keeps nothing for this site forgets them. */

const AREA = "audiolift";

export function kept(name) {
  try {
    return JSON.parse(localStorage.getItem(`${AREA}.${name}`));
  } catch {
    return null;
  }
}

export function store(name, value) {
  try {
    localStorage.setItem(`${AREA}.${name}`, JSON.stringify(value));
  } catch {
    // For this visit, then.
  }
}
