// Batches: many sessions with a first message each, created by one call.

import { renderList } from "@dari/contract";
import {
  cancelBatch,
  createBatch,
  getBatch,
  getBatchInItemOrder,
  hasItems,
  listBatches,
  listBatchSessions,
  readBatchResults,
} from "@dari/control/automation";
import { messageMachine } from "@dari/domain";
import type { Call, Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";
import { sendText } from "../http/text.ts";

function placeOf({ actor, params }: Pick<Call<"getSessionBatch">, "actor" | "params">) {
  return { organizationId: actor.organizationId, batchId: params.session_batch_id };
}

export const batchHandlers: Handlers<
  | "createSessionBatch"
  | "listSessionBatches"
  | "getSessionBatch"
  | "listBatchSessions"
  | "getBatchResults"
  | "cancelSessionBatch"
> = {
  createSessionBatch: {
    async create({ control, actor, body }) {
      const created = await createBatch(control, actor, body);
      return { resourceId: created.id, reply: created };
    },
    async read({ control, actor, body }, batchId) {
      const place = { organizationId: actor.organizationId, batchId };
      return hasItems(body) ? getBatchInItemOrder(control, place, body) : getBatch(control, place);
    },
    keyIn: (body) => body.idempotency_key,
  },

  async listSessionBatches({ control, actor, query }) {
    return renderList("session_batches", await listBatches(control, actor, readPage(query)));
  },

  async getSessionBatch(call) {
    return getBatch(call.control, placeOf(call));
  },

  async listBatchSessions(call) {
    const { query } = call;
    const state = messageMachine.states.find((one) => one === query["message_status"]);
    return renderList("sessions", await listBatchSessions(call.control, placeOf(call), { ...readPage(query), state }));
  },

  async getBatchResults(call) {
    await sendText(await readBatchResults(call.control, placeOf(call)), call.response, "application/x-ndjson");
  },

  async cancelSessionBatch({ control, actor, params }) {
    return cancelBatch(control, actor, params.session_batch_id);
  },
};
