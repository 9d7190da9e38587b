// Shows what an agent does during a turn: one line for each event, or more of its values.

import type { EventRecord, StreamedEvent } from "@dari/contract";

/** How much of a value one line shows, and how much `--verbose` shows. */
const shortChars = 120;
const verboseChars = 2_000;

export interface ActivityLine {
  readonly text: string;
  readonly isFailure: boolean;
}

type DataOf<Type extends EventRecord["type"]> = Extract<EventRecord, { type: Type }>["data"];

/** Returns the line for an event; undefined for one that is not activity or says nothing new. */
export function activityLine(event: StreamedEvent, isVerbose = false): ActivityLine | undefined {
  if (event.type === "tool.call_requested") {
    return line(`${nameOfCall(event.data)} ${valueOf(event.data.arguments, isVerbose)}`);
  }
  if (event.type === "tool.call_completed") {
    return event.data.is_error || isVerbose ? endOfCall(event.data, isVerbose) : undefined;
  }
  if (event.type === "model.request_completed") return endOfRequest(event.data, isVerbose);
  if (event.type === "reasoning.completed") {
    const { text, text_bytes } = event.data;
    return line(isVerbose ? `reasoning: ${cut(text, true)}` : `reasoning (${sizeOf(text, text_bytes)})`);
  }
  if (event.type === "agent.handoff") {
    return line(oneLine(`${event.data.from_agent} hands over to ${event.data.to_agent}`));
  }
  if (event.type === "subagent.started") return line(oneLine(`subagent ${event.data.name} starts`));
  if (event.type === "subagent.completed") {
    const { name, is_error, duration_ms } = event.data;
    return line(`subagent ${oneLine(name)} ${is_error ? "failed" : "has ended"}${timeOf(duration_ms)}`, is_error);
  }
  if (event.type === "plan.updated") return line(planOf(event.data));
  if (event.type === "step.completed") return isVerbose ? line(stepOf(event.data)) : undefined;
  if (event.type !== "agent.events_omitted") return undefined;
  return line(`${event.data.count} more events of this attempt are not stored`);
}

/** `search`, or `maps: search` for a tool of an MCP server */
export function nameOfCall({ name, server }: { readonly name: string; readonly server?: string }): string {
  return oneLine(server === undefined ? name : `${server}: ${name}`);
}

/** Returns the text without line breaks: an agent could otherwise write lines that look like the command's own. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

/** Returns a value on one line, cut if it is long; with `isVerbose`, as it is, cut if it is very long. */
export function valueOf(value: unknown, isVerbose = false): string {
  return cut(typeof value === "string" ? value : (JSON.stringify(value) ?? ""), isVerbose);
}

/** `, 1.2 s` */
export function timeOf(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return "";
  return milliseconds < 1_000 ? `, ${Math.round(milliseconds)} ms` : `, ${(milliseconds / 1_000).toFixed(1)} s`;
}

function line(text: string, isFailure = false): ActivityLine {
  return { text, isFailure };
}

function endOfCall(data: DataOf<"tool.call_completed">, isVerbose: boolean): ActivityLine {
  const { name, is_error, duration_ms, result, error } = data;
  const end = is_error ? "failed" : "returned";
  return line(`${oneLine(name)} ${end}${timeOf(duration_ms)}: ${valueOf(error ?? result, isVerbose)}`, is_error);
}

function endOfRequest(data: DataOf<"model.request_completed">, isVerbose: boolean): ActivityLine | undefined {
  const { duration_ms, error, usage = {} } = data;
  const model = oneLine(data.model ?? "the model");
  if (error !== undefined) return line(`${model} failed${timeOf(duration_ms)}: ${cut(error, isVerbose)}`, true);
  if (!isVerbose) return undefined;
  const tokens = Object.entries(usage).map(([name, count]) => `${name} ${count}`);
  return line(`${[`${model} answered${timeOf(duration_ms)}`, ...tokens].join(", ")}`);
}

function stepOf({ name, ordinal, is_replayed, duration_ms }: DataOf<"step.completed">): string {
  const shown = ordinal === 1 ? oneLine(name) : `${oneLine(name)} #${ordinal}`;
  return `step ${shown}: ${is_replayed ? "recorded result" : `completed${timeOf(duration_ms)}`}`;
}

function planOf({ items }: DataOf<"plan.updated">): string {
  const current = items.find(({ status }) => status === "in_progress");
  const done = items.filter(({ status }) => status === "completed").length;
  return `plan: ${done} of ${items.length} done${current === undefined ? "" : `; now: ${cut(current.text, false)}`}`;
}

function sizeOf(text: string, bytes: number | undefined): string {
  return bytes === undefined ? `${text.length} characters` : `${Math.round(bytes / 1024)} KiB`;
}

function cut(text: string, isVerbose: boolean): string {
  const shown = isVerbose ? text : oneLine(text);
  const most = isVerbose ? verboseChars : shortChars;
  return shown.length <= most ? shown : `${shown.slice(0, most)}…`;
}
