// The organizations of a run, each with its key, its agent and its sessions.

import { createClient, type Client } from "@dari/client";
import { createTestOrganization } from "@dari/testkit";
import { publish } from "../../conversation.ts";
import type { Stage } from "../stage/stage.ts";

export interface Endpoint {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly client: Client;
}

export interface Tenant {
  readonly organizationId: string;
  readonly apiKey: string;
  readonly agentId: string;
  /** One per API. */
  readonly endpoints: readonly Endpoint[];
  readonly sessionIds: readonly string[];
}

/** After this time a client aborts a call and sends it again, in milliseconds. */
const callTimeoutMs = 5_000;

export async function openTenants(
  stage: Stage,
  effectsFile: string,
  size: { readonly tenants: number; readonly sessions: number },
): Promise<Tenant[]> {
  return Promise.all(Array.from({ length: size.tenants }, () => openTenant(stage, effectsFile, size.sessions)));
}

/** `effectsFile`: where its agent reports what it does. */
export async function openTenant(stage: Stage, effectsFile: string, sessions: number): Promise<Tenant> {
  const { organizationId, apiKey } = await createTestOrganization(stage.db);
  const patient = createClient({ apiUrl: stage.apis[0]!.url, apiKey });
  const platform = { apiUrl: stage.apis[0]!.url, apiKey, client: patient };
  const { agentId, version } = await publish(platform, stage.agentFiles(effectsFile));
  if (version.status !== "ready") throw new Error(`the agent was not built: ${JSON.stringify(version.failure)}`);
  const sessionIds = [];
  for (let i = 0; i < sessions; i++) sessionIds.push((await patient.createSession(agentId)).id);
  const endpoints = stage.apis.map(({ url: apiUrl }) => {
    return { apiUrl, apiKey, client: createClient({ apiUrl, apiKey, timeoutMs: callTimeoutMs }) };
  });
  return { organizationId, apiKey, agentId, endpoints, sessionIds };
}
