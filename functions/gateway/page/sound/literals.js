/** Bytes that are sent and not in the file, in pages, each at an address. */

import { sure } from "./source.js";

const PAGE = 256 * 1024;
const MOST = 96 * 1024 * 1024;

export class Literals {
  #pages = [];
  size = 0;

  /** Adds bytes, of which a copy is taken. Gives their address. */
  add(bytes) {
    const address = this.size;
    sure(address + bytes.length <= MOST, "too much of it has to be written anew");
    this.size += bytes.length;
    while (this.#pages.length * PAGE < this.size) this.#pages.push(new Uint8Array(PAGE));
    this.write(address, bytes);
    return address;
  }

  /** Puts others in the place of bytes that are there. */
  write(address, bytes) {
    this.#through(address, bytes.length, (page, at) => page.set(bytes.subarray(at, at + page.length)));
  }

  /** Copies what lies there into all of `target`. */
  read(address, target) {
    this.#through(address, target.length, (page, at) => target.set(page, at));
  }

  #through(address, length, use) {
    for (let at = 0; at < length; ) {
      const place = (address + at) % PAGE;
      const page = this.#pages[Math.floor((address + at) / PAGE)].subarray(place, place + length - at);
      use(page, at);
      at += page.length;
    }
  }
}
