// Sessions and their ledger.

import { renderList, sessionStatuses } from "@dari/contract";
import {
  completeSession,
  createSession,
  deleteSession,
  getSession,
  invalidField,
  listEvents,
  listSessions,
} from "@dari/control";
import { agentIdFromWire } from "@dari/domain";
import type { Handlers } from "../http/call.ts";
import { isOn, readLimit, readPage } from "../http/query.ts";

export const sessionHandlers: Handlers<
  "createSession" | "listSessions" | "getSession" | "completeSession" | "deleteSession" | "listEvents"
> = {
  createSession: {
    async create({ control, actor, params, body }) {
      const created = await createSession(control, actor, params.agent_id, body);
      return { resourceId: created.id, reply: created };
    },
    read: ({ control, actor }, sessionId) => getSession(control, actor, sessionId),
  },

  async listSessions({ control, actor, query }) {
    const agentId = query["agent_id"];
    const filter = {
      agentId: agentId === undefined ? undefined : agentIdFromWire(agentId),
      status: sessionStatuses.find((status) => status === query["status"]),
      metadata: metadataFilters(query),
    };
    const { rows, next } = await listSessions(control, actor, filter, readPage(query));
    return renderList("sessions", rows, next);
  },

  async getSession({ control, actor, params }) {
    return getSession(control, actor, params.session_id);
  },

  async completeSession({ control, actor, params, query }) {
    return completeSession(control, actor, { sessionId: params.session_id, cancel: isOn(query["cancel"]) });
  },

  async deleteSession({ control, actor, params, query }) {
    return deleteSession(control, actor, { sessionId: params.session_id, cancel: isOn(query["cancel"]) });
  },

  async listEvents({ control, actor, params, query }) {
    const { rows, next } = await listEvents(control, actor, {
      sessionId: params.session_id,
      afterSequenceNumber: readSequenceNumber(query),
      limit: readLimit(query),
    });
    return renderList("events", rows, next);
  },
};

const metadataPrefix = "metadata.";

/** `metadata.<key>=<value>`, any number of them. */
function metadataFilters(query: Readonly<Partial<Record<string, string>>>): [string, string][] {
  return Object.entries(query).flatMap(([name, value]): [string, string][] =>
    name.startsWith(metadataPrefix) ? [[name.slice(metadataPrefix.length), value ?? ""]] : [],
  );
}

/** `after_seq`; `after` with the `next` of the page before is the same. */
function readSequenceNumber(query: Readonly<Partial<Record<string, string>>>): number {
  const text = query["after_seq"] ?? query["after"] ?? "0";
  if (!/^[0-9]{1,16}$/.test(text)) throw invalidField("after", "expected the `next` of a page of this list");
  return Number(text);
}
