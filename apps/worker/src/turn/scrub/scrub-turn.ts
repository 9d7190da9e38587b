// Removes a turn's secrets from the recorded end of the turn, and from this worker's log lines.

import type { FinishInput, InputAsked } from "@dari/db";
import type { SavedWorkspace } from "@dari/control/storage";
import { failure, limits, type Scrubber } from "@dari/domain";
import type { OutputPart, TurnEnding } from "@dari/harness";
import { redactFields, type LogMethod, type Logger } from "@dari/runtime";

/** The guest cuts messages and stacks of errors at these lengths, possibly within a secret. In UTF-16 units. */
const messageUnits = 8_000;
const stackUnits = 32_000;

/** Returns the end of a turn without secrets. The snapshot is the agent's own and stays unchanged. */
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

/**
 * Scrubs schema and prompt. The key contains no secret, because `checkAskedInput` refuses such keys. The platform's own
 * question has only its numbers, of which one can be equal to a secret.
 */
function scrubAsked(scrubber: Scrubber, asked: InputAsked): InputAsked {
  if (asked.budget !== undefined) return asked;
  return {
    ...asked,
    schema: scrubber.json(asked.schema) as InputAsked["schema"],
    prompt: asked.prompt === undefined ? undefined : scrubber.text(asked.prompt),
  };
}

/** Scrubs an error's stack, which is written to the attempt's log before the turn's end is recorded. */
export function scrubStack(scrubber: Scrubber, ending: TurnEnding): TurnEnding {
  if (ending.kind !== "failed" || ending.stack === undefined) return ending;
  return { ...ending, stack: scrubber.text(ending.stack, { isCut: ending.stack.length >= stackUnits }) };
}

/** Returns a line of the attempt's log. The agent chose the path, so it can contain secrets. */
export function renderIgnoredFile(scrubber: Scrubber, { path, reason }: SavedWorkspace["ignored"][number]): string {
  return `not saved: ${scrubber.text(path)}: ${reason}\n`;
}

/** Returns a logger that removes the turn's secrets from its lines. */
export function createScrubbedLogger(target: Logger, scrubber: Scrubber): Logger {
  const method =
    (level: "debug" | "info" | "warn" | "error"): LogMethod =>
    (first: object | string, message?: string) => {
      if (typeof first === "string") target[level](scrubber.text(first));
      // `redactFields` renders errors with their causes, so that these are scrubbed too.
      else target[level](scrubber.json(redactFields(first)) as object, scrubber.text(message ?? ""));
    };
  return {
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    child: (fields) => createScrubbedLogger(target.child(scrubber.json(redactFields(fields)) as object), scrubber),
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
