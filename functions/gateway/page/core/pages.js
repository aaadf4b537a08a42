/** Answers that may come late: only those to the newest question are shown. */

/** Of several questions, one after the other, the answer to the last one counts. */
export class Newest {
  #asked = null;

  /** Resolves to what the promise `answer` gives; to null once something else has been asked. */
  ask(answer) {
    this.#asked = answer;
    return this.beside(answer);
  }

  /** The same for what is asked about the question of now, without taking its place. */
  async beside(answer) {
    const asked = this.#asked;
    const given = await answer;
    return asked === this.#asked ? given : null;
  }
}

/** What the server gives a page at a time. */
export class Pages {
  #newest = new Newest();
  #shown = null; // how to ask for what is shown; another one for each first page
  #cursor = null;
  #more = null;

  /** Whether there is nothing more to load. */
  get isWhole() {
    return this.#cursor === null;
  }

  /**
   * Asks anew: `ask(cursor)` gives a promise of {items, next_cursor}, here for the first page. Resolves to the items; to null once
   * something else has been asked for.
   */
  async first(ask) {
    const page = await this.#newest.ask(ask(null));
    if (!page) return null;
    [this.#shown, this.#cursor, this.#more] = [{ ask }, page.next_cursor, null];
    return page.items;
  }

  /** Asks for the next page of what is shown, once at a time. Resolves as `first`; to null if there is none, too. */
  next() {
    if (this.isWhole) return Promise.resolve(null);
    this.#more ??= this.#next();
    return this.#more;
  }

  async #next() {
    const shown = this.#shown;
    try {
      const { items, next_cursor } = await shown.ask(this.#cursor);
      if (shown !== this.#shown) return null;
      this.#cursor = next_cursor;
      return items;
    } finally {
      if (shown === this.#shown) this.#more = null;
    }
  }

  /** What the promise `answer` gives; to null once the pages have been asked for anew meanwhile. */
  beside(answer) {
    return this.#newest.beside(answer);
  }
}
