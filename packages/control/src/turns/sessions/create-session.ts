// Creates a session, pinned to one version of its agent.

import type { CreateSessionRequest, SessionRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { sessions } from "@dari/db";
import { AppError, newId, notFound } from "@dari/domain";
import { creatorOf } from "./creator-of.ts";
import { getSession } from "./get-session.ts";

/**
 * Creates a session of the requested version. Default: the agent's active version, or else the newest version that is
 * being built.
 * @throws AppError `not_found` for the agent; `conflict` if there is no such version
 */
export async function createSession(
  control: Control,
  actor: Actor,
  agentId: string,
  request: CreateSessionRequest,
): Promise<SessionRecord> {
  const { organizationId } = actor;
  const id = newId("session");
  const outcome = await sessions.insertSessionIfAgentLive(control.db, {
    id,
    organizationId,
    agentId,
    versionId: request.version_id,
    name: request.name?.trim() ?? null,
    metadata: request.metadata ?? {},
    onBusy: request.on_busy,
    internetAccess: request.internet_access,
    createdBy: creatorOf(actor),
    secrets: Object.entries(request.secrets ?? {}).map(([name, value]) => ({
      name,
      sealed: control.sealer.seal(value, { organizationId, name }),
    })),
  });
  switch (outcome) {
    case "created":
      return getSession(control, actor, id);
    case "agent_gone":
      throw notFound("agent");
    case "version_not_ready":
      throw new AppError("conflict", `${request.version_id} is not a ready version of this agent`);
    case "no_version":
      throw new AppError("conflict", "the agent has no version that is ready or being built; deploy one first");
  }
}
