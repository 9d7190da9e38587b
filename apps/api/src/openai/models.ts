// Agents as models.

import type { AgentRecord, OpenAiModel } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { findAgentIdsByName, getAgent, listAgents } from "@dari/control/publishing";
import { agentIdFromWire, AppError, idPrefixes, isId, limits, looksLikeAgentId } from "@dari/domain";
import type { Handlers } from "../http/call.ts";
import { secondsOf } from "./response.ts";

export const openAiModelHandlers: Handlers<"listOpenAiModels" | "getOpenAiModel"> = {
  async listOpenAiModels({ control, actor }) {
    const { rows } = await listAgents(control, actor, { limit: limits.listLimitMax, after: undefined });
    return { object: "list", data: rows.map(renderModel) };
  },

  async getOpenAiModel({ control, actor, params }) {
    return renderModel(await getAgent(control, actor, params.agent_id));
  },
};

function renderModel({ name, created_at }: AgentRecord): OpenAiModel {
  return { id: name, object: "model", created: secondsOf(created_at), owned_by: "organization" };
}

export interface ChosenModel {
  readonly agentId: string;
  /** Undefined: the agent's active version. */
  readonly versionId: string | undefined;
}

/** Reads `<agent>` or `<agent>@<version id>`. A name can contain `@`. @throws AppError `not_found` */
export async function resolveModel(control: Control, { organizationId }: Actor, model: string): Promise<ChosenModel> {
  const at = model.lastIndexOf(`@${idPrefixes.version}_`);
  const version = at > 0 ? model.slice(at + 1) : undefined;
  const versionId = version !== undefined && isId("version", version) ? version : undefined;
  const agent = versionId === undefined ? model : model.slice(0, at);
  if (looksLikeAgentId(agent)) {
    const agentId = agentIdFromWire(agent);
    if (!isId("agent", agentId)) throw modelNotFound(agent);
    return { agentId, versionId };
  }
  const agentId = (await findAgentIdsByName(control, organizationId, [agent])).get(agent);
  if (agentId === undefined) throw modelNotFound(agent);
  return { agentId, versionId };
}

export function modelNotFound(agent: string): AppError {
  const message = `this organization has no agent ${JSON.stringify(agent)}; GET /openai/v1/models lists its agents`;
  return new AppError("not_found", `model: ${message}`, { issues: [{ path: "model", message }] });
}
