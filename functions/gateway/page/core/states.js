/** The states of a job. Made from functions/shared/jobs/states.py by `make docs`. */

export const State = Object.freeze({
  RECEIVING: "receiving",
  QUEUED: "queued",
  CONVERTING: "converting",
  DONE: "done",
  FAILED: "failed",
  CANCELLED: "cancelled",
  EXPIRED: "expired",
});

/** In these nothing more happens by itself. */
export const ENDED = new Set([State.DONE, State.FAILED, State.CANCELLED, State.EXPIRED]);
