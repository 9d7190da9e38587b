// Answers to what messages wait for.

import { deriving } from "./derive.ts";
import type { Transport } from "./transport.ts";

export function inputCalls(transport: Transport) {
  const { derived } = deriving(transport);
  return {
    /**
     * Answers what a message waits for (`inputs` of its record) and returns its record: its turn goes on. A message
     * that waits has not ended: `waitForMessage` waits on, and tells `onRecord`.
     */
    answerInput: derived("answerInput"),
  };
}
