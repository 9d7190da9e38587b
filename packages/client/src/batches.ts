// Calls about batches: many sessions that are started together.

import type { BatchSessionRecord } from "@dari/contract";
import type { PageQuery } from "./pages.ts";
import { createDeriver } from "./derive-methods.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface BatchSessionQuery extends PageQuery {
  readonly messageStatus?: NonNullable<BatchSessionRecord["message_status"]>;
}

export function batchCalls(transport: Transport) {
  const { call, open } = transport;
  const { derived, derivedAll } = createDeriver(transport);
  return {
    ...derivedAll("listSessionBatches", "cancelSessionBatch"),

    /** Starts all sessions with their first messages, or none. */
    createSessionBatch: derived("createSessionBatch"),

    /** Includes the outcomes of its messages so far. */
    getSessionBatch: derived("getSessionBatch"),

    /** In the order of the call, as JSON lines: one `BatchResult` each. */
    async getBatchResults(id: string, options?: CallOptions): Promise<string> {
      return (await open("getBatchResults", { path: { session_batch_id: id }, options })).text();
    },

    /** In the order of the call. */
    listBatchSessions: (id: string, { messageStatus, ...page }: BatchSessionQuery = {}, options?: CallOptions) =>
      call("listBatchSessions", {
        path: { session_batch_id: id },
        query: { ...page, message_status: messageStatus },
        options,
      }),
  };
}
