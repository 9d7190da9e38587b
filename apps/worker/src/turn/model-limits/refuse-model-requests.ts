// Refuses the requests of a replay that may not ask models. What has a recorded answer does not get here.

import { TurnRefusal, turnEnded, type TurnGate } from "./turn-gate.ts";

/** Returns the gate of a replay that answers requests only from the record. `of`: the message that is replayed. */
export function refuseModelRequests(of: string): TurnGate {
  const refusal = new TurnRefusal();
  let isClosed = false;
  return {
    code: "replay_diverged",
    readsBody: false,
    get reached() {
      return refusal.reason;
    },
    async admit({ host }) {
      if (isClosed) return turnEnded;
      return refusal.refuse(
        `no recorded answer of ${of} fits a request to ${host}, and this replay may not ask a model; replay it with ` +
          "live requests to see what follows",
      );
    },
    onReached: (end) => refusal.onSent(end),
    close: () => void (isClosed = true),
  };
}
