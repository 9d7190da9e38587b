// Soft-deletes an agent: no new sessions, but running ones finish.

import type { Deleted } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { agents } from "@dari/db";
import { notFound } from "@dari/domain";

/** @throws AppError `not_found` */
export async function deleteAgent(control: Control, actor: Actor, agentId: string): Promise<Deleted> {
  const deleted = await withAuditEntry(
    control,
    actor,
    (inside) => agents.softDeleteAgentIfLive(inside.db, actor.organizationId, agentId),
    (done) => (done ? { action: "agent.delete", target: agentId } : undefined),
  );
  if (!deleted) throw notFound("agent");
  return { deleted: true, id: agentId };
}
