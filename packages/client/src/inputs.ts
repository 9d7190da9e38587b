// Answers to what messages wait for.

import type { AnswerInputRequest } from "@dari/contract";
import type { CallOptions, Transport } from "./transport.ts";

export function inputCalls({ call }: Transport) {
  return {
    /**
     * Answers what a message waits for (`inputs` of its record) and returns its record: its turn goes on. A message
     * that waits has not ended: `waitForMessage` waits on, and tells `onRecord`.
     */
    answerInput: (id: string, body: AnswerInputRequest, options?: CallOptions) =>
      call("answerInput", { path: { message_id: id }, body, options }),
  };
}
