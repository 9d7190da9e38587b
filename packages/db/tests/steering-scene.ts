// A session whose turns are steered, one step at a time.

import { afterAll, beforeAll, beforeEach, expect } from "@jest/globals";
import { sql } from "kysely";
import { findViolations, messageInputs, steering, turnDetails, turns, type ClaimedTurn } from "../src/index.ts";
import { emptySnapshot, openScene, type Scene, type SendOptions } from "./scene.ts";
import { askedFor } from "./steps/place.ts";

export let scene: Scene;
/** The session of the test that runs. */
export let session: string;
let head: string | null;

/** Gives each test of a file a session of its own, and checks the invariants at the end. */
export function useSteering(): void {
  beforeAll(async () => {
    scene = await openScene();
  });
  beforeEach(async () => {
    session = await scene.session();
    head = null;
  });
  afterAll(async () => {
    expect(await findViolations(scene.db)).toEqual([]);
    await scene.close();
  });
}

export async function begin(): Promise<ClaimedTurn> {
  const turn = await scene.claim(session);
  await turns.markCalledIfHeld(scene.db, turn);
  return turn;
}

export async function send(text: string, options: SendOptions = {}): Promise<string> {
  const accepted = await scene.accept(session, { text, ...options });
  expect(accepted.outcome).toBe("accepted");
  return accepted.messageId;
}

export const steer = (text: string): Promise<string> => send(text, { onBusy: "steer" });

/** Takes what waits, as the worker does, and returns its texts. */
export async function take(turn: ClaimedTurn, received = 0): Promise<string[] | undefined> {
  const taken = await steering.takeSteeringIfHeld(scene.db, turn, received);
  return taken?.map(({ parts }) => String(parts[0]?.["text"]));
}

/** Lets the turn wait for an input, and answers it. Resolves with the turn's next attempt. */
export async function waitAndContinue(turn: ClaimedTurn, delivered?: number): Promise<ClaimedTurn> {
  const [asked, snapshot] = [askedFor("go-on"), emptySnapshot(head)];
  await turns.finishIfHeld(scene.db, turn, { ending: "suspended", asked, snapshot, delivered });
  const { organizationId } = scene;
  const answer = { organizationId, messageId: turn.messageId, key: "go-on", value: 1, dispatchTtlMs: undefined };
  await messageInputs.answerIfWaiting(scene.db, answer);
  return begin();
}

export async function waits(turn: ClaimedTurn): Promise<boolean | undefined> {
  return (await turns.renewHeldLeases(scene.db, [turn], 60_000))[0]?.steeringWaits;
}

/** `delivered`: how many of the messages that it took have reached the agent. */
export async function complete(turn: ClaimedTurn, delivered?: number): Promise<string | undefined> {
  const snapshot = emptySnapshot(head);
  const output = { parts: [{ type: "text", text: "done" }] };
  const result = await turns.finishIfHeld(scene.db, turn, { ending: "completed", output, snapshot, delivered });
  if (result?.recorded === "completed") head = snapshot.id;
  return result?.recorded;
}

/** Runs what is left, and returns the text of each turn's message. */
export async function drain(): Promise<string[]> {
  const ran: string[] = [];
  while ((await scene.row(session)).pending > 0) {
    const turn = await begin();
    ran.push((turn.details?.parts as { text: string }[])[0]!.text);
    await complete(turn);
  }
  return ran;
}

interface Row {
  readonly state: string;
  readonly steered_into: string | null;
  readonly steered_event: number | null;
  readonly merged_into: string | null;
  readonly output: { error?: { code: string } } | null;
}

export async function rowOf(messageId: string): Promise<Row> {
  const result = await sql<Row>`select state, steered_into, steered_event, merged_into, output from messages
    where id = ${messageId}`.execute(scene.db.kysely);
  return result.rows[0]!;
}

interface EventRow {
  readonly type: string;
  readonly message_id: string;
  readonly data: { readonly into?: string; readonly status?: string };
}

/** Returns the events after a number: type, message, and what they say about it. */
export async function eventsAfter(number: number, of = session): Promise<unknown[]> {
  const result = await sql<EventRow>`select type, message_id, data from events
    where session_id = ${of} and sequence_number > ${number} order by sequence_number`.execute(scene.db.kysely);
  return result.rows.map(({ type, message_id, data }) => {
    const says = data.into ?? data.status;
    return says === undefined ? [type, message_id] : [type, message_id, says];
  });
}

export async function historyOf(sessionId = session): Promise<unknown[]> {
  const rows = await turnDetails.listHistoryBefore(scene.db, sessionId, 1_000, 100, 1_000_000);
  const textOf = (parts: unknown): string => (parts as { text: string }[])[0]!.text;
  return rows.flatMap(({ parts, steered, output }) => [
    textOf(parts),
    ...(steered ?? []).map((each) => `+ ${textOf(each)}`),
    ...(output === null ? [] : [`re: ${textOf((output as { parts: unknown }).parts)}`]),
  ]);
}
