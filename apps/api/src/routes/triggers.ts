// Triggers of agents, and the events that other services send to their URLs.

import { renderList } from "@dari/contract";
import {
  actorOfTrigger,
  createTrigger,
  deleteTrigger,
  findTriggerByToken,
  getTrigger,
  listTriggers,
  planEvent,
  rotateTriggerSecret,
  sendEventMessage,
  updateTrigger,
  verifySender,
} from "@dari/control/automation";
import type { Actor, Control } from "@dari/control/context";
import { toQuotaError } from "@dari/control/tenants";
import type { RateKind } from "@dari/db";
import { AppError, notFound } from "@dari/domain";
import type { Request } from "express";
import { readSignedBody } from "../http/body.ts";
import { Reply, type Call, type Handlers } from "../http/call.ts";
import { countPublicCall } from "../http/limit-unauthenticated.ts";
import { readPage } from "../http/query.ts";
import { requestIdOf } from "../http/request-id.ts";

function placeOf({ actor, params }: Pick<Call<"getTrigger">, "actor" | "params">) {
  return { organizationId: actor.organizationId, agentId: params.agent_id, triggerId: params.trigger_id };
}

export const triggerHandlers: Handlers<
  | "listTriggers"
  | "createTrigger"
  | "getTrigger"
  | "updateTrigger"
  | "deleteTrigger"
  | "rotateTriggerSecret"
  | "receiveTriggerEvent"
> = {
  async listTriggers({ control, actor, params, query }) {
    const place = { organizationId: actor.organizationId, agentId: params.agent_id };
    return renderList("triggers", await listTriggers(control, place, readPage(query)));
  },

  createTrigger: {
    async create({ control, actor, params, body }) {
      const created = await createTrigger(control, actor, params.agent_id, body);
      return { resourceId: created.id, reply: created };
    },
    read: ({ control, actor, params }, triggerId) =>
      getTrigger(control, { organizationId: actor.organizationId, agentId: params.agent_id, triggerId }),
  },

  async getTrigger(call) {
    return getTrigger(call.control, placeOf(call));
  },

  async updateTrigger(call) {
    return updateTrigger(call.control, call.actor, placeOf(call), call.body);
  },

  async deleteTrigger(call) {
    return deleteTrigger(call.control, call.actor, placeOf(call));
  },

  rotateTriggerSecret: {
    async create(call) {
      const rotated = await rotateTriggerSecret(call.control, call.actor, placeOf(call), call.body);
      return { resourceId: rotated.id, reply: rotated };
    },
    read: (call) => getTrigger(call.control, placeOf(call)),
  },

  receiveTriggerEvent,
};

/**
 * Receives one event. Its trigger is found before the body is read, and the sender is verified before anything is
 * parsed, counted against the organization or stored.
 */
async function receiveTriggerEvent(call: Call<"receiveTriggerEvent">): Promise<Reply> {
  const { control, params, request, response } = call;
  const trigger = await findTriggerByToken(control, params.trigger_token);
  if (trigger === undefined) {
    countPublicCall(response);
    throw notFound("trigger");
  }
  response.locals["organizationId"] = trigger.organizationId;
  const body = await readSignedBody(request, response);
  response.locals["challenge"] = "Signature";
  const received = { body, header: (name: string) => onlyHeader(request, name) };
  verifySender(control, trigger, received);
  const actor = actorOfTrigger(trigger, requestIdOf(response));
  await chargeEvent(control, actor, "requests");
  const { answer, message } = planEvent(trigger, received);
  if (message === undefined) return new Reply(200, answer);
  await chargeEvent(control, actor, "messages");
  const tenant = ofTenant(control, trigger.organizationId);
  const receipt = await sendEventMessage(tenant, actor, trigger, message).catch((error: unknown) => {
    throw hideLimits(error);
  });
  return new Reply(receipt.status === "accepted" ? 202 : 200, receipt);
}

/** Counts as `chargeRate`, without telling the sender the organization's limits. @throws AppError `limit_exceeded` */
async function chargeEvent(control: Control, actor: Actor, kind: RateKind): Promise<void> {
  const { granted, standings } = await control.rates.take(actor, kind, 1);
  const short = standings.filter(({ remaining }) => remaining < 1);
  if (!granted) throw refuseEvent(Math.max(1, ...short.map(({ resetSeconds }) => resetSeconds)));
}

function refuseEvent(retryAfterSeconds?: number): AppError {
  const detail = "the platform accepts no more events of this trigger now; wait for `Retry-After` seconds";
  return new AppError("limit_exceeded", detail, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
}

/** Replaces errors that name a limit of the organization: the sender is a third party. */
function hideLimits(error: unknown): unknown {
  const known = error instanceof AppError ? error : toQuotaError(error);
  const isLimit = known?.code === "limit_exceeded" || known?.code === "quota_exceeded";
  return isLimit ? refuseEvent(known.retryAfterSeconds) : error;
}

/** Returns undefined for a header that the request has twice: what a sender signed and what is read could differ. */
function onlyHeader(request: Request, name: string): string | undefined {
  const values = request.headersDistinct[name.toLowerCase()];
  return values?.length === 1 ? values[0] : undefined;
}

/** From here on, queries see only the rows of the trigger's organization. */
function ofTenant(control: Control, organizationId: string): Control {
  const db = control.db.forOrganization(organizationId);
  return { ...control, db, trees: control.trees.readBy(db) };
}
