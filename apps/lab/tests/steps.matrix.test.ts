// Steps of agents whose worker is killed or that wait for an input: what is recorded is not run again, what was only
// begun is, with the same operation key.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { MessageRecord } from "@dari/contract";
import { findService, isNightly, waitUntil } from "@dari/testkit";
import { deploy, ended } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { playScript, resultsOf, scriptAgent, start, type Step } from "../src/script.ts";

/** Runs the rest as a step of this name, which first emits its operation key. */
const step = (name: string, ...inside: Step): Step => ["step", name, ...inside];

describe.each(isNightly() ? (["typescript", "python"] as const) : (["typescript"] as const))("in %s", (language) => {
  let fleet: Fleet;
  let meeting: Rendezvous;
  let agentId: string;
  beforeAll(async () => {
    meeting = await openRendezvous();
    fleet = await startFleet({ redisUrl: findService("redis")?.url });
    ({ agentId } = await deploy(fleet, scriptAgent({ language, max_attempts: 1 })));
  }, 240_000);
  afterAll(async () => {
    await meeting[Symbol.asyncDispose]();
    expect(await fleet.close()).toEqual(noRemains);
  }, 120_000);

  const newSession = async (): Promise<string> => (await fleet.client.createSession(agentId)).id;

  /** Returns the operation keys of all runs of steps, and the results that the agent got, as events. */
  async function toldOf(session: string): Promise<{ ran: unknown[]; completed: unknown[] }> {
    const { data: events } = await fleet.client.listEvents(session, { limit: 200 });
    return {
      ran: events.flatMap((event) => (event.type === "agent.event" ? [[event.data.name, event.data.data]] : [])),
      completed: events.flatMap((event) =>
        event.type === "step.completed" ? [[event.data.name, event.data.ordinal, event.data.is_replayed]] : [],
      ),
    };
  }

  async function stepsKept(session: string): Promise<number> {
    const { rows } = await fleet.db.pool.query<{ n: number }>(
      "select count(*)::int as n from message_steps where session_id = $1",
      [session],
    );
    return rows[0]?.n ?? -1;
  }

  const waitsForInput = ({ id }: MessageRecord): Promise<unknown> =>
    waitUntil(async () => (await fleet.client.getMessage(id)).status === "waiting_for_input", {
      what: `${id} to wait`,
      timeoutMs: 60_000,
    });

  test("a worker that is killed in the second step: the first is not run again, the second is", async () => {
    const session = await newSession();
    const point = `step-${language}`;
    const { id } = await start(fleet, session, [
      step("first", "attempt"),
      step("first", "attempt"),
      step("second", "meet", meeting.urlOf(point)),
      ["attempt"],
    ]);
    await meeting.arrived(point);
    expect(await stepsKept(session)).toBe(2);
    for (const worker of fleet.workers) if (worker.isRunning) await worker.kill();
    meeting.open(point);
    await fleet.startWorker();
    const record = await ended(fleet, id);
    expect(resultsOf(record)).toEqual([1, 1, language === "python" ? null : "go", 2]);
    const { ran, completed } = await toldOf(session);
    expect(ran).toEqual([
      ["first", `${id}.first`],
      ["first", `${id}.first#2`],
      ["second", `${id}.second`],
      ["second", `${id}.second`],
    ]);
    expect(completed.slice(-3)).toEqual([
      ["first", 1, true],
      ["first", 2, true],
      ["second", 1, false],
    ]);
    expect(await stepsKept(session)).toBe(0);
  }, 120_000);

  test("a step before an input is not run again after the answer, and its files are still there", async () => {
    const session = await newSession();
    const sent = await start(fleet, session, [
      step("before", "write", "a.txt", "x"),
      ["ask", "approve", { type: "boolean" }],
      step("after", "attempt"),
    ]);
    await waitsForInput(sent);
    expect(await stepsKept(session)).toBe(1);
    await fleet.client.answerInput(sent.id, { key: "approve", value: true });
    const record = await ended(fleet, sent.id);
    expect([resultsOf(record), record.files_changed]).toEqual([
      [null, true, 1],
      [{ path: "/a.txt", change: "created", size_bytes: 1 }],
    ]);
    expect((await toldOf(session)).ran).toEqual([
      ["before", `${sent.id}.before`],
      ["after", `${sent.id}.after`],
    ]);
  });

  test("a cancel deletes what is recorded, and the next message begins without it", async () => {
    const session = await newSession();
    const sent = await start(fleet, session, [step("paid", "attempt"), ["ask", "more", {}]]);
    await waitsForInput(sent);
    await fleet.client.cancelMessage(sent.id);
    expect(await stepsKept(session)).toBe(0);
    expect(resultsOf(await playScript(fleet, session, [step("paid", "attempt")]))).toEqual([1]);
    expect((await toldOf(session)).ran).toHaveLength(2);
  });

  test("a step that cannot be recorded fails its agent with the reason", async () => {
    const session = await newSession();
    const record = await playScript(fleet, session, [step("two words", "attempt")]);
    expect(record.output?.error).toMatchObject({ code: "agent_error" });
    expect(record.output?.error?.message).toContain("step: the name must have 1 to 128 letters");
  });
});
