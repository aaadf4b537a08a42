/** The way out: a fresh page, so that nothing of one account is left for the next, not even in answers still to come. */

import { signOut } from "./session.js";

/** What the address says when the session has ended by itself. */
export const SESSION_OVER = "?session=over";

/** Loads the page anew. Whose session has ended comes back to where they were. */
export const leave = (search = "") => location.replace((search ? location.pathname : "/") + search);

export const signOutAndLeave = () => signOut().then(() => leave());
