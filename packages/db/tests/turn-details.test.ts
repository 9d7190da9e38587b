// What a worker reads of a conversation: bounded, newest kept.

import { expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { createTestAgent, createTestFile } from "@dari/testkit";
import { egressSettings, organizations, sessions, turnDetails, turns } from "../src/index.ts";
import { emptySnapshot, openScene } from "./scene.ts";

test("history is the newest messages within a number and a size, oldest first", async () => {
  const scene = await openScene();
  const session = await scene.session();
  let head: string | null = null;
  for (let i = 1; i <= 6; i++) {
    await scene.send(session);
    const turn = await scene.claim(session);
    await turns.markCalledIfHeld(scene.db, turn);
    const snapshot = emptySnapshot(head);
    const output = { parts: [{ type: "text", text: `${i}`.repeat(1_000) }] };
    await turns.finishIfHeld(scene.db, turn, { ending: "completed", output, snapshot });
    head = snapshot.id;
  }
  const texts = (rows: { output: unknown }[]): string[] =>
    rows.map((row) => (row.output as { parts: { text: string }[] }).parts[0]?.text[0] ?? "");
  expect(texts(await turnDetails.listHistoryBefore(scene.db, session, 6, 3, 1_000_000))).toEqual(["3", "4", "5"]);
  expect(texts(await turnDetails.listHistoryBefore(scene.db, session, 7, 100, 2_500))).toEqual(["5", "6"]);
  expect(await turnDetails.listHistoryBefore(scene.db, session, 7, 100, 10)).toEqual([]);

  const path = "/input/a";
  const attachments = [{ path, fileId: await createTestFile(scene.db, scene.organizationId) }];
  const { messageId } = await scene.accept(session, { attachments });
  const whole = await turnDetails.getTurnDetails(scene.db, messageId, { messages: 3, bytes: 1_000_000 });
  expect(whole).toMatchObject({ headSnapshotId: head, attachments: [{ path, messageId }] });
  expect(whole.history).toEqual(await turnDetails.listHistoryBefore(scene.db, session, 7, 3, 1_000_000));
  expect(whole.attachments).toEqual(await turnDetails.listAttachmentsToPlace(scene.db, session, 7));
  await scene.close();
});

test("the limits that operators set for an organization come with its turns", async () => {
  const scene = await openScene();
  const { messageId } = await scene.accept(await scene.session());
  const boundsOf = async () => {
    const details = await turnDetails.getTurnDetails(scene.db, messageId, { messages: 1, bytes: 1 });
    return details.turnBounds;
  };
  expect(await boundsOf()).toEqual({ memoryBytes: null, cpus: null });
  const limits = { max_turn_memory_bytes: 8 * 1024 ** 3, max_turn_cpus: 0.5 };
  await organizations.updateOrganizationLimits(scene.db, scene.organizationId, limits);
  expect(await boundsOf()).toEqual({ memoryBytes: 8 * 1024 ** 3, cpus: 0.5 });
  await scene.close();
});

test("a session without internet access passes that on to its turns, and so do its forks", async () => {
  const scene = await openScene();
  const egressOf = async (internetAccess: boolean | undefined) => {
    const id = newId("session");
    const agentId = (await createTestAgent(scene.db, scene.organizationId)).agentId;
    const row = { id, organizationId: scene.organizationId, agentId, versionId: undefined, name: null, metadata: {} };
    expect(await sessions.insertSessionIfAgentLive(scene.db, { ...row, internetAccess, secrets: [] })).toBe("created");
    const { messageId } = await scene.accept(id);
    const details = await turnDetails.getTurnDetails(scene.db, messageId, { messages: 1, bytes: 1 });
    return { id, egress: details.egress };
  };
  expect([(await egressOf(undefined)).egress, (await egressOf(true)).egress]).toEqual([{}, {}]);
  const closed = await egressOf(false);
  expect(closed.egress).toEqual({ session: { mode: "off", hosts: [] } });
  const { organizationId } = scene;
  const open = { mode: "open", hosts: [] } as const;
  await egressSettings.putEgressSettingIfThere(scene.db, organizationId, "organization", open);
  expect((await egressOf(false)).egress).toEqual({ organization: open, session: { mode: "off", hosts: [] } });
  expect((await egressOf(undefined)).egress).toEqual({ organization: open });

  const fork = newId("session");
  const { rows } = await scene.db.pool.query("select fork_session($1, $2, null, false, $3, null) as outcome", [
    organizationId,
    closed.id,
    fork,
  ]);
  expect(rows).toEqual([{ outcome: "forked" }]);
  expect(await sessions.findSession(scene.db, organizationId, fork)).toMatchObject({ internetAccess: false });
  await scene.close();
});
