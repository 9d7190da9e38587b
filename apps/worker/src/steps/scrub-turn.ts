// Takes a turn's secrets out of what is said about it: what is recorded of its end, and what this worker logs.

import type { FinishInput, InputAsked } from "@dari/db";
import type { SavedWorkspace } from "@dari/control/storage";
import { failure, limits, type Scrubber } from "@dari/domain";
import type { OutputPart, TurnEnding } from "@dari/harness";
import { redactFields, type LogMethod, type Logger } from "@dari/runtime";

/** What a guest says of an error is cut at these lengths, perhaps within a secret. UTF-16 units. */
const messageUnits = 8_000;
const stackUnits = 32_000;

/** The end of a turn as it may be recorded. The snapshot is the agent's own and stays as it is. */
export function scrubEnding(scrubber: Scrubber, input: FinishInput): FinishInput {
  const { failure: cause, filesChanged, asked } = input;
  const output = input.output as { parts: readonly OutputPart[]; usage?: unknown } | undefined;
  const parts = output === undefined ? undefined : scrubParts(scrubber, output.parts);
  if (input.ending === "completed" && bytesOf(parts) > limits.outputBytes) {
    const kept = { output: { parts: [], usage: output?.usage }, filesChanged: [] };
    return { ...input, ending: "failed", failure: failure("output_too_large"), ...kept };
  }
  return {
    ...input,
    ...(parts === undefined ? {} : { output: { ...output, parts } }),
    ...(asked === undefined ? {} : { asked: scrubAsked(scrubber, asked) }),
    ...(filesChanged === undefined ? {} : { filesChanged: scrubber.json(filesChanged) }),
    ...(cause === undefined ? {} : { failure: { ...cause, message: scrubMessage(scrubber, cause.message) } }),
  };
}

/** Its key holds no secret: it would not have been taken. */
function scrubAsked(scrubber: Scrubber, asked: InputAsked): InputAsked {
  return {
    ...asked,
    schema: scrubber.json(asked.schema) as InputAsked["schema"],
    prompt: asked.prompt === undefined ? undefined : scrubber.text(asked.prompt),
  };
}

/** The stack goes to the attempt's log before the end is recorded. */
export function scrubbedStack(scrubber: Scrubber, ending: TurnEnding): TurnEnding {
  if (ending.kind !== "failed" || ending.stack === undefined) return ending;
  return { ...ending, stack: scrubber.text(ending.stack, { isCut: ending.stack.length >= stackUnits }) };
}

/** A line of the attempt's log: a name that is not kept is the agent's word like any other. */
export function ignoredLine(scrubber: Scrubber, { path, reason }: SavedWorkspace["ignored"][number]): string {
  return `not saved: ${scrubber.text(path)}: ${reason}\n`;
}

/** A logger whose lines hold none of the turn's secrets. */
export function scrubbedLogger(target: Logger, scrubber: Scrubber): Logger {
  const method =
    (level: "debug" | "info" | "warn" | "error"): LogMethod =>
    (first: object | string, message?: string) => {
      if (typeof first === "string") target[level](scrubber.text(first));
      // Errors are spelled out first, with their causes.
      else target[level](scrubber.json(redactFields(first)) as object, scrubber.text(message ?? ""));
    };
  return {
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    child: (fields) => scrubbedLogger(target.child(scrubber.json(redactFields(fields)) as object), scrubber),
  };
}

function scrubMessage(scrubber: Scrubber, message: string): string {
  return scrubber.text(message, { isCut: message.length >= messageUnits });
}

function scrubParts(scrubber: Scrubber, parts: readonly OutputPart[]): OutputPart[] {
  const texts = scrubber.pieces(parts.map((part) => (part.type === "text" ? part.text : part.path)));
  return parts.map((part, index) => {
    const shown = texts[index] ?? "";
    return part.type === "text" ? { ...part, text: shown } : { ...part, path: shown };
  });
}

function bytesOf(parts: readonly OutputPart[] | undefined): number {
  let bytes = 0;
  for (const part of parts ?? []) bytes += Buffer.byteLength(part.type === "text" ? part.text : part.path);
  return bytes;
}
