// Reads an agent; finds agents by name, and with their descriptions.

import type { AgentRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { agents } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderAgent } from "../views/agent.ts";

/** @throws AppError `not_found` */
export async function getAgent(control: Control, actor: Actor, agentId: string): Promise<AgentRecord> {
  const row = await agents.findAgent(control.db, actor.organizationId, agentId);
  return renderAgent(control.publicUrl, requireFound(row, "agent"));
}

/** Returns the ids of the organization's agents with these names, by name. */
export function findAgentIdsByName(
  control: Control,
  organizationId: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  return agents.findAgentIdsByName(control.db, organizationId, names);
}

export interface DescribedAgent {
  readonly id: string;
  readonly name: string;
  /** What the manifest of the active version says about it. */
  readonly description: string | undefined;
}

/** Returns the organization's agents with these ids or names, in any order. Others are left out. */
export async function listDescribedAgents(
  control: Control,
  actor: Actor,
  wanted: { readonly ids: readonly string[]; readonly names: readonly string[] },
): Promise<readonly DescribedAgent[]> {
  const rows = await agents.listDescribedAgents(control.db, actor.organizationId, wanted);
  return rows.map(({ id, name, description }) => ({ id, name, description: description ?? undefined }));
}
