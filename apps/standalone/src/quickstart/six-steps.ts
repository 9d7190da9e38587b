// The six steps of the quickstart with one example agent.

import path from "node:path";
import { ApiError, createClient, eachRow } from "@dari/client";
import type { Environment } from "@dari/runtime";
import { createHttp } from "./http.ts";
import { dari, heading, say } from "./show.ts";

export interface SixSteps {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Directory of the example, relative to the checkout. */
  readonly example: string;
  readonly language: string;
  readonly checkout: string;
  readonly environment: Environment;
  readonly signal: AbortSignal;
}

const ticket = `Subject: Charged twice

Hello, my card was charged twice for order 4711 on Monday.
Please refund one of the two charges.
Ada
`;

/** @throws when any step fails. */
export async function sixSteps(options: SixSteps): Promise<void> {
  const { apiUrl, apiKey } = options;
  const http = createHttp(options);

  heading(`${options.language} 1/6  Deploy the agent in ${options.example}`);
  // The example's folder may have been deployed to another platform, and its agent from another checkout.
  const name = path.basename(options.example);
  const target = (await isAgentThere(options, name)) ? ["--agent", name] : ["--new", name];
  const deployed = await dari(["deploy", options.example, ...target, "--json"], {
    apiUrl,
    apiKey,
    cwd: options.checkout,
    environment: options.environment,
    signal: options.signal,
  });
  const deploymentId = text(JSON.parse(deployed) as Record<string, unknown>, "deployment_id");

  heading(`${options.language} 2/6  Create a session`);
  const session = text(await http.post(`/v1/deployments/${deploymentId}/sessions`), "id");

  heading(`${options.language} 3/6  Upload a file`);
  say(`ticket.txt:\n${ticket.replace(/^/gm, "  ").trimEnd()}`);
  const file = text(await http.upload("/v1/files", "ticket.txt", ticket), "id");

  heading(`${options.language} 4/6  Send a message with text and the file`);
  const message = await http.post(`/v1/sessions/${session}/messages`, {
    parts: [
      { type: "text", text: "Read the ticket and draft a reply." },
      { type: "file", file_id: file },
    ],
    metadata: { source: "quickstart" },
  });
  if (message["status"] !== "completed") throw new Error(`the message ended as ${String(message["status"])}`);

  heading(`${options.language} 5/6  List what the agent wrote`);
  await http.get(`/v1/sessions/${session}/files?path=/output`);

  heading(`${options.language} 6/6  See which files the message changed`);
  const changed = await http.get(`/v1/messages/${text(message, "id")}/files`);
  const files = changed["files_changed"] as { path: string }[];
  if (!files.some((one) => one.path === "/output/reply.md"))
    throw new Error("the agent did not write /output/reply.md");
  say(`\nThe session in the console: ${apiUrl}/console/sessions/${session}`);
}

async function isAgentThere({ apiUrl, apiKey, signal }: SixSteps, name: string): Promise<boolean> {
  try {
    await createClient({ apiUrl, apiKey }).getAgent(name, { signal });
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}

function text(json: Record<string, unknown>, key: string): string {
  const value = json[key];
  if (typeof value !== "string") throw new Error(`the reply has no ${key}`);
  return value;
}

/**
 * Adds the credentials that both examples name, unless the organization already has them. The values are made up,
 * because the examples need no model.
 */
export async function addCredentials(options: Omit<SixSteps, "example" | "language">): Promise<void> {
  const { apiUrl, apiKey, checkout, environment, signal } = options;
  heading("Credentials that the agents' dari.yml names");
  const client = createClient({ apiUrl, apiKey });
  const existing = new Set<string>();
  for await (const { name } of eachRow((page) => client.listCredentials("current", page, { signal }))) {
    existing.add(name);
  }
  for (const name of ["QUICKSTART_MODEL_KEY", "QUICKSTART_API_TOKEN"]) {
    if (existing.has(name)) {
      say(`kept ${name}`);
      continue;
    }
    const input = `quickstart-value-of-${name.toLowerCase()}`;
    await dari(["credentials", "add", name, "--value-stdin"], {
      apiUrl,
      apiKey,
      cwd: checkout,
      environment,
      input,
      signal,
    });
  }
}
