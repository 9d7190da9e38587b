// Renames an agent. Its id, and the sessions and schedules that refer to it, stay.

import type { AgentRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { agents } from "@dari/db";
import { AppError, requireFound } from "@dari/domain";
import { renderAgent } from "../views/agent.ts";

/** @throws AppError `not_found`; `agent_name_taken` */
export async function renameAgent(
  control: Control,
  actor: Actor,
  agentId: string,
  wantedName: string,
): Promise<AgentRecord> {
  const { organizationId } = actor;
  const name = wantedName.trim();
  const { agent } = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const renamed = await agents.renameAgentIfLive(inside.db, organizationId, agentId, name);
      // Rolls back: PostgreSQL has aborted the transaction.
      if (renamed === "name_taken") throw nameTaken(name);
      return requireFound(renamed, "agent");
    },
    ({ before }) =>
      before === name ? undefined : { action: "agent.update", target: agentId, details: { before, name } },
  );
  return renderAgent(control.publicUrl, agent);
}

function nameTaken(name: string): AppError {
  return new AppError("agent_name_taken", `another agent has the name "${name}"; choose another name`);
}
