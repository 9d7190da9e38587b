// Calls about many sessions that are started together.

import type { BatchSessionRecord, CreateSessionBatchRequest } from "@dari/contract";
import type { PageQuery } from "./pages.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface BatchSessionQuery extends PageQuery {
  readonly messageStatus?: NonNullable<BatchSessionRecord["message_status"]>;
}

export function batchCalls({ call }: Transport) {
  return {
    /** All sessions with their first messages, or none. */
    createSessionBatch: (body: CreateSessionBatchRequest, options?: CallOptions) =>
      call("createSessionBatch", { path: {}, body, options }),

    listSessionBatches: (page: PageQuery = {}, options?: CallOptions) =>
      call("listSessionBatches", { path: {}, query: { ...page }, options }),

    /** With what has come of its messages so far. */
    getSessionBatch: (id: string, options?: CallOptions) =>
      call("getSessionBatch", { path: { session_batch_id: id }, options }),

    /** In the order of the call. */
    listBatchSessions: (id: string, { messageStatus, ...page }: BatchSessionQuery = {}, options?: CallOptions) =>
      call("listBatchSessions", {
        path: { session_batch_id: id },
        query: { ...page, message_status: messageStatus },
        options,
      }),

    cancelSessionBatch: (id: string, options?: CallOptions) =>
      call("cancelSessionBatch", { path: { session_batch_id: id }, options }),
  };
}
