// Agents, also called deployments, and their versions.

import { renderList } from "@dari/contract";
import {
  activateVersion,
  createAgent,
  createVersion,
  deleteAgent,
  getAgent,
  getAgentPublication,
  getVersion,
  getVersionBundle,
  getVersionBundleFile,
  getVersionPublication,
  listAgents,
  listVersions,
  readBuildLogs,
  renameAgent,
} from "@dari/control/publishing";
import { deploymentIdOf } from "@dari/domain";
import { Reply, type Handlers } from "../http/call.ts";
import { isFlagSet, readPage } from "../http/query.ts";
import { sendText } from "../http/text.ts";

export const agentHandlers: Handlers<
  | "createAgent"
  | "listAgents"
  | "getAgent"
  | "updateAgent"
  | "deleteAgent"
  | "createVersion"
  | "listVersions"
  | "getVersion"
  | "getVersionBundle"
  | "getVersionBundleFile"
  | "activateVersion"
  | "getBuildLogs"
> = {
  createAgent: {
    async create(call) {
      const created = await createAgent(call.control, call.actor, call.body);
      return { resourceId: created.version_id, reply: named(call, created) };
    },
    async read(call, versionId) {
      return named(call, await getAgentPublication(call.control, call.actor, versionId));
    },
  },

  async listAgents(call) {
    const { rows, next } = await listAgents(call.control, call.actor, readPage(call.query));
    const shown = rows.map((row) => named(call, row));
    const page = renderList("agents", { rows: shown, next });
    return call.asDeployment ? { ...page, deployments: shown } : page;
  },

  async getAgent(call) {
    return named(call, await getAgent(call.control, call.actor, call.params.agent_id));
  },

  async updateAgent(call) {
    return named(call, await renameAgent(call.control, call.actor, call.params.agent_id, call.body.name));
  },

  async deleteAgent(call) {
    const deleted = await deleteAgent(call.control, call.actor, call.params.agent_id);
    return named(call, { ...deleted, id: call.params.agent_id });
  },

  createVersion: {
    async create({ control, actor, params, body }) {
      const created = await createVersion(control, actor, params.agent_id, body);
      return { resourceId: created.version_id, reply: created.unchanged ? new Reply(200, created) : created };
    },
    read: ({ control, actor }, versionId) => getVersionPublication(control, actor, versionId),
  },

  async listVersions({ control, actor, params, query }) {
    const { agent, ...page } = await listVersions(control, actor, params.agent_id, readPage(query));
    return { ...renderList("versions", page), agent };
  },

  async getVersion({ control, actor, params }) {
    return getVersion(control, actor, { agentId: params.agent_id, versionId: params.version_id });
  },

  async getVersionBundle({ control, actor, params }) {
    return getVersionBundle(control, actor, { agentId: params.agent_id, versionId: params.version_id });
  },

  async getVersionBundleFile({ control, actor, params, query }) {
    const name = { agentId: params.agent_id, versionId: params.version_id };
    return getVersionBundleFile(control, actor, { ...name, path: query["path"] ?? "" });
  },

  async activateVersion(call) {
    const { control, actor, params, body } = call;
    const input = { agentId: params.agent_id, versionId: body.version_id };
    return named(call, await activateVersion(control, actor, input));
  },

  async getBuildLogs({ control, actor, params, query, signal, response }) {
    const follow = isFlagSet(query["follow"]);
    await sendText(await readBuildLogs(control, actor, { versionId: params.version_id, follow, signal }), response);
  },
};

/** Under `/v1/deployments`, an agent's `id` is its `dep_` form. */
function named<Body extends { id: string }>(call: { asDeployment: boolean }, body: Body): Body {
  return call.asDeployment ? { ...body, id: deploymentIdOf(body.id) } : body;
}
