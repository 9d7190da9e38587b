// A batch whose items wait for the program, so that its progress can be shown and measured.

import type { Client } from "@dari/client";
import { waitUntil } from "@dari/testkit";
import { deploy, textPart, type Platform } from "../conversation.ts";
import { rendezvousEndpoint, type Rendezvous } from "../rendezvous.ts";
import { agentFiles } from "./agents.ts";
import { times } from "./filling.ts";

export interface RunningBatch {
  readonly id: string;
  /** Lets the next item end. Returns when its message was completed, in milliseconds since 1970. */
  endNext(): Promise<number>;
}

/** Ends `done` of `total` items before it returns. */
export async function startRunningBatch(
  platform: Platform,
  meeting: Rendezvous,
  { agentId, total, done }: { readonly agentId: string; readonly total: number; readonly done: number },
): Promise<RunningBatch> {
  const { client } = platform;
  const hosts = ["api.example.com", "*.example.org", "crm.example.net:8443", rendezvousEndpoint];
  await client.putEgress({ mode: "allow", hosts });
  await deploy(platform, agentFiles("ticket-classifier", { meeting: meeting.urlOf("item-") }), agentId);
  const failing = new Set([4, 9]);
  const { id } = await client.createSessionBatch({
    // One at a time, so that each end is one step of the progress.
    ...{ agent_id: agentId, name: "Tickets of June", max_concurrency: 1 },
    sessions: times(total, (index) => {
      const text = failing.has(index) ? `Ask the legacy system about item ${index}` : `Classify ticket, item ${index}`;
      return { parts: [textPart(text)] };
    }),
  });
  let next = 0;
  const endNext = async (): Promise<number> => {
    const index = next++;
    await meeting.arrived(`item-${index}`);
    meeting.open(`item-${index}`);
    return endOf(client, id, index);
  };
  while (next < Math.min(done, total)) await endNext();
  // The pictures show a running item.
  if (next < total) await meeting.arrived(`item-${next}`);
  return { id, endNext };
}

async function endOf(client: Client, batchId: string, index: number): Promise<number> {
  const { data } = await client.listBatchSessions(batchId, { limit: index + 1 });
  const messageId = data[index]?.message_id ?? "";
  return waitUntil(
    async () => {
      const { completed_at: time } = await client.getMessage(messageId);
      return time !== null && Date.parse(time);
    },
    { what: `the end of item ${index}`, timeoutMs: 60_000 },
  );
}
