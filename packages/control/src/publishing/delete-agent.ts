// Deletes an agent softly: no new sessions, those that run finish.

import type { Deleted } from "@dari/contract";
import { agents } from "@dari/db";
import { onRecord } from "../audit/record-change.ts";
import type { Actor, Control } from "../context.ts";
import { notFound } from "@dari/domain";

/** @throws AppError `not_found` */
export async function deleteAgent(control: Control, actor: Actor, agentId: string): Promise<Deleted> {
  const deleted = await onRecord(
    control,
    actor,
    (inside) => agents.softDeleteAgentIfLive(inside.db, actor.organizationId, agentId),
    (done) => (done ? { action: "agent.delete", target: agentId } : undefined),
  );
  if (!deleted) throw notFound("agent");
  return { deleted: true, id: agentId };
}
