// Sessions and their events.

import { renderList, sessionStarters, sessionStatuses } from "@dari/contract";
import {
  completeSession,
  createSession,
  deleteSession,
  getSession,
  listAgentSessions,
  listEvents,
  listSessions,
  listSessionSummaries,
} from "@dari/control/turns";
import { agentIdFromWire, limits } from "@dari/domain";
import type { Handlers } from "../http/call.ts";
import { isFlagSet, readLimit, readPage } from "../http/query.ts";
import { readSequenceNumber } from "../http/sequence-number.ts";

export const sessionHandlers: Handlers<
  | "createSession"
  | "listAgentSessions"
  | "listSessions"
  | "listSessionSummaries"
  | "getSession"
  | "completeSession"
  | "deleteSession"
  | "listEvents"
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
    const filter = { ...readFilter(query), agentId: agentId === undefined ? undefined : agentIdFromWire(agentId) };
    return renderList("sessions", await listSessions(control, actor, filter, readPage(query)));
  },

  async listSessionSummaries({ control, actor, query }) {
    const agentId = query["agent_id"];
    const { rows, next } = await listSessionSummaries(control, actor, {
      agentId: agentId === undefined ? undefined : agentIdFromWire(agentId),
      status: sessionStatuses.find((status) => status === query["status"]),
      startedBy: sessionStarters.find((starter) => starter === query["started_by"]),
      text: query["q"],
      metadata: metadataFilters(query),
      limit: readLimit(query),
      after: query["after"],
    });
    return { data: rows, has_more: next !== null, next };
  },

  async listAgentSessions({ control, actor, params, query }) {
    const filter = { ...readFilter(query), agentId: params.agent_id };
    const page = readPage({ limit: String(limits.listLimitMax), ...query });
    return renderList("sessions", await listAgentSessions(control, actor, filter, page));
  },

  async getSession({ control, actor, params }) {
    return getSession(control, actor, params.session_id);
  },

  async completeSession({ control, actor, params, query }) {
    return completeSession(control, actor, { sessionId: params.session_id, cancel: isFlagSet(query["cancel"]) });
  },

  async deleteSession({ control, actor, params, query }) {
    return deleteSession(control, actor, { sessionId: params.session_id, cancel: isFlagSet(query["cancel"]) });
  },

  async listEvents({ control, actor, params, query }) {
    const page = await listEvents(control, actor, {
      sessionId: params.session_id,
      // `after` with the `next` of the page before means the same.
      afterSequenceNumber: readSequenceNumber(query["after_seq"] ?? query["after"] ?? "0", "after"),
      limit: readLimit(query),
    });
    return renderList("events", page);
  },
};

type Query = Readonly<Partial<Record<string, string>>>;

function readFilter(query: Query) {
  return {
    name: query["name"],
    status: sessionStatuses.find((status) => status === query["status"]),
    metadata: metadataFilters(query),
  };
}

const metadataPrefix = "metadata.";

/** Reads any number of `metadata.<key>=<value>` parameters. */
function metadataFilters(query: Query): [string, string][] {
  return Object.entries(query).flatMap(([name, value]): [string, string][] =>
    name.startsWith(metadataPrefix) ? [[name.slice(metadataPrefix.length), value ?? ""]] : [],
  );
}
