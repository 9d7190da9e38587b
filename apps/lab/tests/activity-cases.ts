// What must hold for the events of every SDK: a client that connects again at each event gets the same list, a secret
// is nowhere, and a picture that a tool returned can be downloaded.

import { expect } from "@jest/globals";
import { isLedgerEvent, isMessageEnd } from "@dari/client";
import type { EventRecord, MessageRecord } from "@dari/contract";
import { activityOf, type Shown, type Told } from "../src/activity.ts";
import { ended, post, type Platform } from "../src/conversation.ts";
import { pixel } from "../src/sdk-agents.ts";
import { inEachEncoding, newSecret, tracesOf } from "../src/secret-traces.ts";

/** Stored under this name by the suites that use these cases. */
export const leakedName = "LEAKED_TOKEN";
export const leaked = newSecret();

/** What a model writes in the arguments of the tool `echo`, which returns it. */
export const leak = { text: inEachEncoding(leaked) };

export interface SeenTurn {
  readonly record: MessageRecord;
  /** What its agent did. */
  readonly events: EventRecord[];
  /** The previews, without those of logs. */
  readonly shown: Shown[];
}

/** Sends a text and follows the turn twice: on one connection, and on a new one for each event. */
export async function seeTurn(platform: Platform, session: string, text: string): Promise<SeenTurn> {
  const { client } = platform;
  const { id } = await post(platform, session, text);
  const reading = readReconnecting(platform, id);
  const shown: Shown[] = [];
  for await (const event of client.streamMessage(id)) {
    if (!isLedgerEvent(event) && event.type !== "log") shown.push({ type: event.type, ...event.data });
  }
  const record = await ended(platform, id);
  const { data } = await client.listEvents(session, { limit: 500 });
  expect(await reading).toEqual(data.filter(({ message_id }) => message_id === id));
  await expectHidden(platform, session, id, shown);
  return { record, events: await activityOf(platform, session, id), shown };
}

async function readReconnecting({ client }: Platform, messageId: string): Promise<EventRecord[]> {
  const read: EventRecord[] = [];
  for (;;) {
    const position = read.at(-1)?.sequence_number;
    for await (const event of client.streamMessage(messageId, { after_seq: position })) {
      if (!isLedgerEvent(event)) continue;
      read.push(event as EventRecord);
      if (isMessageEnd(event)) return read;
      break;
    }
    if (read.at(-1)?.sequence_number === position) throw new Error(`the stream of ${messageId} ended too early`);
  }
}

/** Expects no trace of the leaked secret in anything that a client can read of the turn. */
async function expectHidden(
  { client }: Platform,
  session: string,
  messageId: string,
  shown: readonly Shown[],
): Promise<void> {
  const { data } = await client.listEvents(session, { limit: 500 });
  const calls = data.flatMap((event) => (event.type === "tool.call_requested" ? [event.data.call_id] : []));
  const texts = {
    events: JSON.stringify(data),
    shown: JSON.stringify(shown),
    joined: shown.map((one) => String(one["text"])).join(""),
    record: JSON.stringify(await client.getMessage(messageId, { include: "tool_calls" })),
    transcript: JSON.stringify(await client.getTranscript(session)),
    calls: JSON.stringify(await Promise.all(calls.map((callId) => client.getToolCall(messageId, callId)))),
  };
  const traces = tracesOf(leaked);
  const found = Object.entries(texts).flatMap(([name, text]) =>
    traces.filter((trace) => text.includes(trace)).map((trace) => [name, trace]),
  );
  expect(found).toEqual([]);
}

/** Expects a call and its result to have had the secret, six times each. */
export function expectEchoed(requested: Told | undefined, completed: Told | undefined): void {
  for (const value of [requested?.["arguments"], completed?.["result"]]) {
    expect(JSON.stringify(value).split(`[redacted:${leakedName}]`)).toHaveLength(7);
  }
}

/** Expects a result to contain a picture, whose bytes can be downloaded. */
export async function expectPicture({ client }: Platform, messageId: string, completed: Told | undefined) {
  const result = JSON.stringify(completed?.["result"]);
  expect(result).not.toContain(pixel);
  expect(result).toContain('"media_type":"image/png"');
  const [, valueId = "no value"] = /"value_id":"([^"]+)"/.exec(result) ?? [];
  const bytes = await new Response(await client.getMessageValue(messageId, valueId)).bytes();
  expect(Buffer.from(bytes).toString("base64")).toBe(pixel);
}
