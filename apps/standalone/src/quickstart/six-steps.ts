// The six steps of the quickstart with one example agent.

import path from "node:path";
import { ApiError, createClient, eachRow } from "@dari/client";
import type { Environment } from "@dari/runtime";
import { createHttp } from "./http.ts";
import { dari, heading, outcome, say } from "./show.ts";

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

/**
 * Returns the session's page in the console.
 * @throws when any step fails.
 */
export async function sixSteps(options: SixSteps): Promise<string> {
  const { apiUrl, apiKey, language } = options;
  const http = createHttp(options);
  const done = (number: number, what: string): void => say(`${language} ${number}/6  ${what}`);

  heading(`${language} 1/6  Deploy the agent in ${options.example}`);
  // The example's folder may have been deployed to another platform, and its agent from another checkout.
  const name = path.basename(options.example);
  const target = (await isAgentThere(options, name)) ? ["--agent", name] : ["--new", name];
  const printed = await dari(["deploy", options.example, ...target, "--json"], {
    apiUrl,
    apiKey,
    cwd: options.checkout,
    environment: options.environment,
    signal: options.signal,
  });
  const deployed = JSON.parse(printed) as { deployment_id: string; timings_ms: { total: number } };
  outcome(`${name} is ready after ${(deployed.timings_ms.total / 1_000).toFixed(1)} s`);

  const session = text(await http.post(`/v1/deployments/${deployed.deployment_id}/sessions`), "id");
  done(2, `Create a session: ${session}`);

  const file = text(await http.upload("/v1/files", "ticket.txt", ticket), "id");
  done(3, `Upload a file: ticket.txt is ${file}`);

  const message = await http.post(`/v1/sessions/${session}/messages`, {
    parts: [
      { type: "text", text: "Read the ticket and draft a reply." },
      { type: "file", file_id: file },
    ],
    metadata: { source: "quickstart" },
  });
  if (message["status"] !== "completed") throw new Error(`the message ended as ${String(message["status"])}`);
  const { parts } = message["output"] as { parts: { text?: string }[] };
  done(4, "Send a message with text and the file. The agent answered:");
  outcome(parts.map((part) => part.text).join(""));

  const { entries } = await http.get(`/v1/sessions/${session}/files?path=/output`);
  done(5, `List what the agent wrote: ${(entries as Entry[]).map(describe).join(", ")}`);

  const changed = await http.get(`/v1/messages/${text(message, "id")}/files`);
  const files = changed["files_changed"] as (Entry & { change: string })[];
  if (!files.some((one) => one.path === "/output/reply.md"))
    throw new Error("the agent did not write /output/reply.md");
  done(6, `See which files the message changed: ${files.map((one) => `${one.change} ${one.path}`).join(", ")}`);
  return `${apiUrl}/console/sessions/${session}`;
}

interface Entry {
  readonly path: string;
  readonly size_bytes: number;
}

function describe({ path: at, size_bytes: bytes }: Entry): string {
  return `${at} (${bytes} bytes)`;
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
  heading("Adding the credentials that the agents' dari.yml names");
  const client = createClient({ apiUrl, apiKey });
  const existing = new Set<string>();
  for await (const { name } of eachRow((page) => client.listCredentials("current", page, { signal }))) {
    existing.add(name);
  }
  for (const name of ["QUICKSTART_MODEL_KEY", "QUICKSTART_API_TOKEN"]) {
    if (existing.has(name)) {
      outcome(`kept ${name}`);
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
    outcome(`added ${name}`);
  }
}
