// A message as a model reads it.

import type { MessageInput, MessageRecord } from "@dari/contract";

/** Returns what a model needs of a message: the text, how it ended, and the changed files. */
export function describeMessage(record: MessageRecord): object {
  const { id, session_id, status, waiting_reason, parts, output, files_changed } = record;
  const waiting = waitingInputOf(record);
  return {
    id,
    session_id,
    status,
    ...(waiting_reason === null ? {} : { waiting_reason }),
    ...(waiting === undefined ? {} : { waits_for: waiting }),
    asked: parts.map((part) => (part.type === "text" ? part.text : `[${part.path ?? part.file_id}]`)).join("\n"),
    answer: (output?.parts ?? []).map(describePart).join("\n"),
    ...(output?.error === undefined ? {} : { error: output.error }),
    ...(output?.notes === undefined ? {} : { notes: output.notes }),
    files_changed: files_changed.map(({ change, path }) => `${change} ${path}`),
  };
}

type AnswerPart = NonNullable<MessageRecord["output"]>["parts"][number];

function describePart(part: AnswerPart): string {
  if (part.type === "text") return part.text;
  return "path" in part ? `[${part.path}]` : `[${part.type} ${part.name}]`;
}

/** Returns the input that the message waits for. */
export function waitingInputOf({ inputs = [] }: MessageRecord): MessageInput | undefined {
  return inputs.find((one) => one.status === "waiting");
}
