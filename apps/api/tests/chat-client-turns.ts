// What chat clients get, and turns that ask, for tests.

import { snapshots, type ClaimedTurn } from "@dari/db";
import { newId } from "@dari/domain";
import type { TestApi, TestReply } from "./api-fixture.ts";
import { finish } from "./turn.ts";

export interface Chunk {
  readonly type: string;
  readonly [field: string]: unknown;
}

export const chunksIn = ({ text }: Pick<TestReply, "text">): Chunk[] =>
  [...text.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data!) as Chunk);
export const typesIn = (reply: Pick<TestReply, "text">): string[] => chunksIn(reply).map(({ type }) => type);

export const decision = { type: "object", properties: { approved: { type: "boolean" } }, required: ["approved"] };

/** Suspends a turn with a question. `delivered`: how many messages that steer have reached the agent; absent: all. */
export async function askIn(
  api: TestApi,
  turn: ClaimedTurn,
  key = "refund",
  schema: Readonly<Record<string, unknown>> = decision,
  delivered?: number,
): Promise<void> {
  const parentId = (await snapshots.findHeadSnapshotId(api.db, api.org.organizationId, turn.sessionId)) ?? null;
  const empty = { objectKey: null, isFull: true, deltaDepth: 0, treeHash: "x", sizeBytes: 0, files: 0, totalBytes: 0 };
  await finish(api, turn, {
    ending: "suspended",
    ...(delivered === undefined ? {} : { delivered }),
    asked: { key, schema, prompt: "May I?", waitSeconds: 600, placed: [] },
    snapshot: { id: newId("snapshot"), parentId, ...empty },
  });
}
