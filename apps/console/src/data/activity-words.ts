// Describes what an agent did in a line of text. Draws nothing.

import type { Call, Item, ModelRequest, WorkState } from "./activity.ts";
import { countText } from "./format.ts";

/** Longer lines are cut; the window usually cuts them before. */
const lineChars = 200;

/** Arguments that say most about a call, the first ones first. */
const telling =
  "command file_path filename url query pattern prompt description path text name title id key subject".split(" ");

/** Returns a call's most telling argument, or all arguments in short. */
export function argumentLine(given: unknown): string {
  if (typeof given === "string") return oneLine(given);
  if (typeof given !== "object" || given === null) return given === null ? "" : String(given);
  const values = Object.entries(given);
  if (Array.isArray(given)) return values.length === 0 ? "" : oneLine(JSON.stringify(given));
  const best = telling.find((name) => isSimple((given as Record<string, unknown>)[name]));
  if (best !== undefined) return oneLine(String((given as Record<string, unknown>)[best]));
  return oneLine(values.map(([name, value]) => `${name}: ${shortValue(value)}`).join(", "));
}

function shortValue(value: unknown): string {
  if (Array.isArray(value)) return value.length === 1 ? "1 item" : `${value.length} items`;
  return isSimple(value) ? String(value) : JSON.stringify(value);
}

function isSimple(value: unknown): value is string | number {
  return (typeof value === "string" && value.trim() !== "") || typeof value === "number";
}

/** Returns the line of a failed call's result that says what happened: of a traceback of Python, the last one. */
export function failureLine(result: unknown): string {
  const text =
    typeof result === "string" ? result : result === undefined || result === null ? "" : JSON.stringify(result);
  const lines = text.trim().split("\n");
  return oneLine((lines[0]?.startsWith("Traceback (most recent") === true ? lines.at(-1) : lines[0]) ?? "");
}

function oneLine(text: string): string {
  const line = text
    .slice(0, lineChars * 2)
    .replace(/\s+/g, " ")
    .trim();
  return line.length <= lineChars ? line : `${line.slice(0, lineChars)}…`;
}

/** `shell`, or `atlas` for a tool of that MCP server; empty for a function. */
export function kindText({ toolKind, server }: Pick<Call, "toolKind" | "server">): string {
  return server ?? (toolKind === undefined || toolKind === "function" ? "" : toolKind);
}

/** `1,240 tokens in, 1,000 of them cached, 80 out`. Empty if the request reported none. */
export function tokensText(usage: ModelRequest["data"]["usage"] = {}): string {
  const { input_tokens: input, cached_input_tokens: cached = 0, output_tokens: output } = usage;
  const read = input === undefined ? [] : [`${countText(input)} tokens in`];
  const ofCache = cached > 0 ? [`${countText(cached)} of them cached`] : [];
  return [...read, ...ofCache, ...(output === undefined ? [] : [`${countText(output)} out`])].join(", ");
}

/** The model of a request, as the SDK names it. */
export function modelText({ model, provider }: ModelRequest["data"]): string {
  return model ?? provider ?? "the model";
}

const outcomes: Readonly<Record<string, string>> = {
  retry: "failed",
  failed: "failed",
  lost: "was lost with its worker",
  released: "was interrupted by its worker's shutdown",
};

/** `failed`, `was lost with its worker`. */
export function outcomeText(outcome: string | undefined): string {
  return outcomes[outcome ?? ""] ?? "ended";
}

/** `3 of 5 todos done`. */
export function planText(todos: readonly { readonly status: string }[]): string {
  const done = todos.filter(({ status }) => status === "completed").length;
  return `${done} of ${todos.length} ${todos.length === 1 ? "todo" : "todos"} done`;
}

const stateTexts: Readonly<Record<WorkState, string>> = {
  running: "running",
  waiting: "waits for an answer",
  done: "done",
  failed: "failed",
  unfinished: "not finished",
};

export function stateText(state: WorkState): string {
  return stateTexts[state];
}

/** `1 step`, `12 steps`. */
export function stepsText(items: readonly Item[]): string {
  return `${countText(items.length)} ${items.length === 1 ? "step" : "steps"}`;
}
