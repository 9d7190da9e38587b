// Sends messages and keeps, outside the system, what was acknowledged; later says what has become of it.

import { createClient, type Client } from "@dari/client";

export interface Acknowledged {
  readonly sessionId: string;
  /** Message ids in the order of their acknowledgement. */
  readonly messageIds: string[];
}

/** Opens `sessions` sessions and sends each its messages, a line per message as the prompt. */
export async function sendAll(
  client: Client,
  agentId: string,
  load: { sessions: number; messages: number; atOnce: number },
): Promise<Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < load.sessions) {
      next += 1;
      const session = await client.createSession(agentId);
      const messageIds: string[] = [];
      acknowledged.push({ sessionId: session.id, messageIds });
      for (let i = 0; i < load.messages; i++) {
        const record = await client.sendMessageAsync(session.id, { parts: [{ type: "text", text: lineOf(i) }] });
        messageIds.push(record.id);
      }
    }
  };
  await Promise.all(Array.from({ length: load.atOnce }, sender));
  return acknowledged;
}

const lineOf = (i: number): string => `line ${i + 1}`;

export interface Verdict {
  readonly completed: number;
  readonly open: number;
  /** One sentence per thing that must not be. */
  readonly faults: string[];
}

/** Reads every acknowledged message back and compares with what must be. */
export async function judge(client: Client, acknowledged: readonly Acknowledged[]): Promise<Verdict> {
  const faults: string[] = [];
  let completed = 0;
  let open = 0;
  for (const { sessionId, messageIds } of acknowledged) {
    const records = (await client.listMessages(sessionId, { limit: 500 })).data;
    const byId = new Map(records.map((record) => [record.id, record]));
    if (records.length !== messageIds.length) faults.push(`${sessionId} has ${records.length} messages`);
    let endedBefore = "";
    for (const [i, id] of messageIds.entries()) {
      const record = byId.get(id);
      if (record === undefined) faults.push(`${id} is lost`);
      else if (record.status === "queued" || record.status === "running") open += 1;
      else if (record.status !== "completed")
        faults.push(`${id} ended as ${record.status}: ${JSON.stringify(record.output)}`);
      else {
        completed += 1;
        const part = record.output?.parts[0];
        const text = part?.type === "text" ? part.text : "";
        const expected = Array.from({ length: i + 1 }, (_, n) => `${lineOf(n)}\n`).join("");
        if (text !== expected) faults.push(`${id} saw ${JSON.stringify(text)}`);
        if (record.sequence_number !== i + 1) faults.push(`${id} is numbered ${record.sequence_number}`);
        if ((record.completed_at ?? "") < endedBefore) faults.push(`${id} ended before its predecessor`);
        endedBefore = record.completed_at ?? "";
      }
    }
  }
  return { completed, open, faults };
}

export function openClient(api: { apiUrl: string; apiKey: string }): Client {
  return createClient({ apiUrl: api.apiUrl, apiKey: api.apiKey });
}
