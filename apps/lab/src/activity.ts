// What an agent did in a turn, as its session's events tell.

import { activityTypes, type EventRecord, type MessageRecord } from "@dari/contract";
import { post, type Platform } from "./conversation.ts";

export type Told = Readonly<Record<string, unknown>>;

/** Returns the events of a message about what its agent did, in order. */
export async function activityOf({ client }: Platform, sessionId: string, messageId: string): Promise<EventRecord[]> {
  const { data } = await client.listEvents(sessionId, { limit: 500 });
  return data.filter(
    ({ message_id, type }) => message_id === messageId && (activityTypes as readonly string[]).includes(type),
  );
}

/** Returns the data of the events of a type. */
export function dataOf(events: readonly EventRecord[], type: string): Told[] {
  return events.flatMap((event) => (event.type === type ? [event.data as unknown as Told] : []));
}

/** What a preview shows, without its kind `log`. */
export type Shown = Told & { readonly type: string };

/** Sends a text and follows it to its end. Returns the previews of what the agent's models wrote, in order. */
export async function watchPreviews(
  platform: Platform,
  sessionId: string,
  text: string,
): Promise<{ readonly record: MessageRecord; readonly shown: Shown[] }> {
  const { id } = await post(platform, sessionId, text);
  const shown: Shown[] = [];
  for await (const event of platform.client.streamMessage(id)) {
    if (!("sequence_number" in event) && event.type !== "log") shown.push({ type: event.type, ...event.data });
  }
  return { record: await platform.client.getMessage(id), shown };
}

/** Returns the arguments that previews have shown, by call. */
export function shownArguments(shown: readonly Shown[]): Record<string, unknown> {
  const texts: Record<string, string> = {};
  for (const { type, call_id, text } of shown as readonly Record<string, string>[]) {
    if (type === "tool.arguments_delta") texts[call_id!] = (texts[call_id!] ?? "") + text;
  }
  return Object.fromEntries(Object.entries(texts).map(([callId, json]) => [callId, JSON.parse(json) as unknown]));
}
