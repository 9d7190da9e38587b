// Answers to the inputs that messages wait for.

import { createDeriver } from "./derive-methods.ts";
import type { Transport } from "./transport.ts";

export function inputCalls(transport: Transport) {
  const { derived } = createDeriver(transport);
  return {
    /**
     * Answers an input of a message (`inputs` of its record) and returns the record; the turn then continues. A waiting
     * message has not ended: `waitForMessage` keeps waiting, and reports it to `onRecord`.
     */
    answerInput: derived("answerInput"),
  };
}
