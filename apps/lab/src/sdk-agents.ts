// Agents of real SDKs: the unchanged examples with a local model server, and one turn watched while it runs.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MessageRecord, SendMessageRequest } from "@dari/contract";
import type { ModelServer } from "@dari/testkit";
import type { BundleFiles } from "./bundle.ts";
import { filesOf, type Platform } from "./conversation.ts";
import { startFleet, type Fleet } from "./fleet.ts";

const examples = fileURLToPath(new URL("../../../examples", import.meta.url));

/**
 * Returns the files of an example with `env` in its manifest, and with some files replaced, for example for older
 * versions of its packages.
 */
export function exampleAgent(
  name: string,
  env: Readonly<Record<string, string>>,
  others: BundleFiles = {},
): BundleFiles {
  const files: BundleFiles = { ...filesOf(join(examples, name)), ...others };
  return { ...files, "dari.yml": `${files["dari.yml"] ?? ""}${envLines(env)}` };
}

function envLines(env: Readonly<Record<string, string>>): string {
  return `env:\n${Object.entries(env)
    .map(([key, value]) => `  ${key}: ${JSON.stringify(value)}\n`)
    .join("")}`;
}

/**
 * Starts a fleet whose agents can connect to these model servers, and whose builds to the public internet. Leases are
 * those of production: installing an SDK can keep a small machine busy for longer than a short one.
 */
export async function startFleetWith(
  servers: readonly ModelServer[],
  secrets: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Fleet> {
  const allowed = servers.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const fleet = await startFleet({ env: { DARI_EGRESS_ALLOW: allowed, DARI_LEASE_MS: "15000", ...env } });
  for (const name of secrets) await fleet.client.putCredential(name, { value: "sk-of-a-test" });
  return fleet;
}

export interface WatchedTurn {
  readonly record: MessageRecord;
  /** All previews of the answer. */
  readonly shownText: string;
}

/** Sends a message and follows it to its end. `onText` gets the text that was shown so far. */
export async function watchTurn(
  { client }: Platform,
  sessionId: string,
  body: SendMessageRequest,
  onText: (shown: string) => void = () => {},
): Promise<WatchedTurn> {
  const { id } = await client.sendMessageAsync(sessionId, body);
  let shownText = "";
  for await (const event of client.streamMessage(id)) {
    if (event.type !== "assistant.text_delta") continue;
    shownText += event.data.text;
    onText(shownText);
  }
  return { record: await client.getMessage(id), shownText };
}

/** A PNG of one pixel, in base64. */
export const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** Uploads a file with these bytes and returns its id. */
export async function upload({ client }: Platform, filename: string, bytes: Buffer): Promise<string> {
  return (await client.uploadFile({ filename, content: new Blob([new Uint8Array(bytes)]) })).id;
}

/** Returns what the last run of a message used, by the event of its end. Failed messages have no `output.usage`. */
export async function usageOfLastRun({ client }: Platform, sessionId: string, messageId: string): Promise<unknown> {
  const { data } = await client.listEvents(sessionId, { limit: 200 });
  const ends = data.filter((event) => event.type === "attempt.ended");
  return ends.findLast((event) => event.message_id === messageId)?.data.usage;
}

/** Continues sessions on a worker without cached data. */
export async function moveToAnotherWorker(fleet: Fleet): Promise<void> {
  const running = fleet.workers.filter((worker) => worker.isRunning);
  await fleet.startWorker();
  for (const worker of running) await worker.stop();
}
