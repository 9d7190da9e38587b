// What a message to a busy session does to real turns, and the retry of a failed message.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { OnBusy } from "@dari/domain";
import { findService } from "@dari/testkit";
import { deploy, ended, textPart, uploadText } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { playScript, resultsOf, scriptAgent, start, type Step } from "../src/script.ts";

let fleet: Fleet;
let meeting: Rendezvous;
let agentId: string;

beforeAll(async () => {
  meeting = await openRendezvous();
  fleet = await startFleet({ redisUrl: findService("redis")?.url });
  agentId = (await deploy(fleet, scriptAgent({ max_attempts: 2 }))).agentId;
}, 120_000);

afterAll(async () => {
  await meeting[Symbol.asyncDispose]();
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

/** A session whose first turn wrote a file and waits at `point`. */
async function hold(point: string): Promise<{ session: string; running: string }> {
  const session = (await fleet.client.createSession(agentId)).id;
  const steps: Step[] = [
    ["write", "half.txt", "x"],
    ["meet", meeting.urlOf(point)],
  ];
  const { id: running } = await start(fleet, session, steps);
  await meeting.arrived(point);
  return { session, running };
}

function sendBusy(session: string, onBusy: OnBusy, steps: readonly Step[]) {
  const parts = [textPart(JSON.stringify(steps))];
  return fleet.client.sendMessage(session, { parts, on_busy: onBusy });
}

const look: Step[] = [["list", "."], ["history"]];

test("interrupt stops the running turn; its prompt stays in the conversation, its files do not", async () => {
  const { session, running } = await hold("interrupted");
  const [files, history] = resultsOf(await sendBusy(session, "interrupt", look)) as [string[], unknown[]];
  expect(await fleet.client.getMessage(running)).toMatchObject({ status: "cancelled" });
  expect(files).not.toContain("half.txt");
  expect(history).toMatchObject([{ role: "user", parts: [{ text: expect.stringContaining("interrupted") }] }]);
});

test("rollback stops the running turn and what waits, and both leave the conversation", async () => {
  const { session, running } = await hold("rolled-back");
  const queued = await start(fleet, session, [["attempt"]]);
  const [files, history] = resultsOf(await sendBusy(session, "rollback", look)) as [string[], unknown[]];
  expect(await fleet.client.getMessage(running)).toMatchObject({ status: "cancelled" });
  expect(await fleet.client.getMessage(queued.id)).toMatchObject({ status: "cancelled", started_at: null });
  expect(files).not.toContain("half.txt");
  expect(history).toEqual([]);
});

test("merge: one turn is shown everything that waited, and answers everybody", async () => {
  const { session, running } = await hold("merged");
  const first = await fleet.client.sendMessageAsync(session, { parts: [textPart('[["attempt"],')] });
  const last = fleet.client.sendMessage(session, { parts: [textPart('["list", "."]]')], on_busy: "merge" });
  const answered = fleet.client.waitForMessage(first.id);
  meeting.open("merged");
  const record = await last;
  expect(record.parts).toMatchObject([{ text: '[["attempt"],' }, { text: '["list", "."]]' }]);
  expect((await answered).id).toBe(record.id);
  expect(resultsOf(record)).toEqual([1, expect.arrayContaining(["half.txt"])]);
  expect(await fleet.client.getMessage(running)).toMatchObject({ status: "completed" });
});

test("a failed message runs again with its file at its path", async () => {
  const session = (await fleet.client.createSession(agentId)).id;
  const file = await uploadText(fleet, "notes.txt", "remember");
  // Fails until the file that the next turn writes exists.
  const steps: Step[] = [
    ["read", "input/notes.txt"],
    ["chmod", "gate.txt", "644"],
    ["list", "input"],
  ];
  const failed = await playScript(fleet, session, steps, [file]);
  expect(failed).toMatchObject({ status: "failed" });
  const again = await fleet.client.retryMessage(failed.id);
  expect(again).toMatchObject({ retry_of: failed.id, parts: failed.parts });
  expect(await ended(fleet, again.id)).toMatchObject({ status: "failed" });
  await playScript(fleet, session, [["write", "gate.txt", ""]]);
  const third = await ended(fleet, (await fleet.client.retryMessage(again.id)).id);
  expect(resultsOf(third)[0]).toBe("remember");
  expect(await fleet.client.getMessage(failed.id)).toMatchObject({ status: "failed" });
});

/** Returns what happened in a session: types of events, with the names of tools. */
async function ledgerOf(session: string): Promise<{ at: number; what: string; attempt: string | undefined }[]> {
  const { data } = await fleet.client.listEvents(session, { limit: 500 });
  return data.map((event) => ({
    at: event.sequence_number,
    what: "name" in event.data ? `${event.type} ${String(event.data.name)}` : event.type,
    attempt: event.attempt_id,
  }));
}

test("steer: a turn takes the message where the reply says; its second attempt takes it again", async () => {
  const session = (await fleet.client.createSession(agentId)).id;
  const steps: Step[] = [["tool", "before"], ["listen", 1], ["tool", "after"], ["throwUntil", 2], ["attempt"]];
  const running = await start(fleet, session, steps);
  const parts = [textPart("no, the other file")];
  const reply = await fleet.client.sendMessage(session, { parts, on_busy: "steer" });
  expect(reply).toMatchObject({ status: "completed", output: null, delivered_in: running.id });
  const answered = await ended(fleet, running.id);
  expect(resultsOf(answered)).toEqual(["before", ["no, the other file"], "after", null, 2]);
  const ledger = await ledgerOf(session);
  const place = ledger.findIndex(({ at }) => at === reply.delivered_after);
  const around = ledger.slice(place - 1, place + 2);
  const [before, after] = ["tool.call_completed before", "tool.call_requested after"];
  expect(around.map(({ what }) => what)).toEqual([before, "message.steered", after]);
  expect(new Set(around.map(({ attempt }) => attempt)).size).toBe(1);
  expect(ledger.filter(({ what }) => what === "message.steered")).toHaveLength(2);
  const [history] = resultsOf(await playScript(fleet, session, [["history"]])) as [{ role: string; parts: object[] }[]];
  expect(history.map(({ role }) => role)).toEqual(["user", "user", "assistant"]);
  expect(history[1]?.parts).toEqual(parts);
});

test("steer: if the worker is killed after the take, the next attempt takes the message again", async () => {
  const session = (await fleet.client.createSession(agentId)).id;
  const running = await start(fleet, session, [
    ["listen", 2],
    ["meet", meeting.urlOf("steered")],
  ]);
  const send = (text: string) => fleet.client.sendMessageAsync(session, { parts: [textPart(text)], on_busy: "steer" });
  const sent = [await send("one"), await send("two")];
  await meeting.arrived("steered");
  await fleet.workers[0]!.kill();
  await fleet.startWorker();
  meeting.open("steered");
  expect(resultsOf(await ended(fleet, running.id))).toEqual([["one", "two"], "go"]);
  for (const { id } of sent) {
    expect(await ended(fleet, id)).toMatchObject({ status: "completed", delivered_in: running.id });
  }
  const steered = (await ledgerOf(session)).filter(({ what }) => what === "message.steered");
  expect(new Set(steered.map(({ attempt }) => attempt)).size).toBe(2);
});
