// What an agent did in a turn, as its session's events tell.

import { activityTypes, type EventRecord } from "@dari/contract";
import type { Platform } from "./conversation.ts";

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

/** Returns the arguments that previews have shown, by call. */
export function shownArguments(shown: readonly Shown[]): Record<string, unknown> {
  const texts: Record<string, string> = {};
  for (const { type, call_id, text } of shown as readonly Record<string, string>[]) {
    if (type === "tool.arguments_delta") texts[call_id!] = (texts[call_id!] ?? "") + text;
  }
  return Object.fromEntries(Object.entries(texts).map(([callId, json]) => [callId, JSON.parse(json) as unknown]));
}
