// Shows what an agent does during a turn, one line for each tool call.

import type { StreamedEvent } from "@dari/contract";

const shownChars = 200;

/** Returns the line for a tool call that starts, or that failed; undefined for every other event. */
export function toolLine(event: StreamedEvent): string | undefined {
  if (event.type === "tool.call_requested") {
    const { name, server, arguments: given } = event.data;
    return `${server === undefined ? "" : `${server}: `}${name} ${shorten(JSON.stringify(given) ?? "")}`;
  }
  if (event.type !== "tool.call_completed" || !event.data.is_error) return undefined;
  const { name, result } = event.data;
  return `${name} failed: ${shorten(typeof result === "string" ? result : (JSON.stringify(result) ?? ""))}`;
}

export function shorten(text: string): string {
  return text.length <= shownChars ? text : `${text.slice(0, shownChars)}…`;
}
