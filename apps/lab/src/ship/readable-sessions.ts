// Reads everything that a client can read of some sessions: records, messages, transcript, files with their bytes.

import { createHash } from "node:crypto";
import { eachRow, type Client } from "@dari/client";

export type ReadableSessions = Readonly<Record<string, unknown>>;

/** Returns one entry per session. */
export async function readSessions(
  client: Client,
  sessionIds: readonly string[],
): Promise<Record<string, ReadableSessions>> {
  const found: Record<string, ReadableSessions> = {};
  for (const id of sessionIds) found[id] = await readSession(client, id);
  return found;
}

async function readSession(client: Client, id: string): Promise<ReadableSessions> {
  const messages: unknown[] = [];
  for await (const message of eachRow((page) => client.listMessages(id, page))) messages.push(message);
  const transcript: unknown[] = [];
  for await (const entry of eachRow((page) => client.getTranscript(id, page))) transcript.push(entry);
  const files: Record<string, string> = {};
  const { entries } = await client.listSessionFiles(id, { path: "/", recursive: true });
  for (const { path, type } of entries) {
    if (type !== "file") continue;
    const bytes = await new Response(await client.getSessionFileContent(id, { path })).bytes();
    files[path] = createHash("sha256").update(bytes).digest("hex");
  }
  return { session: await client.getSession(id), messages, transcript, files };
}

/**
 * Returns the paths at which `after` differs from `before`. A release may add fields. Lists are compared entry by
 * entry.
 */
export function differences(before: unknown, after: unknown, at = ""): string[] {
  if (typeof before !== "object" || before === null) {
    return before === after ? [] : [`${at}: ${JSON.stringify(before)} has become ${JSON.stringify(after)}`];
  }
  if (typeof after !== "object" || after === null) return [`${at} has become ${JSON.stringify(after)}`];
  if (Array.isArray(before) && (!Array.isArray(after) || after.length !== before.length)) {
    return [`${at} has another length`];
  }
  return Object.entries(before).flatMap(([key, value]) =>
    differences(value, (after as Record<string, unknown>)[key], `${at}/${key}`),
  );
}
