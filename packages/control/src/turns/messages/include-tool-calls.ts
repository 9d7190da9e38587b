// What the agent did before its answer, as parts of the answer, for clients that ask for it.

import type { IncludedPart, MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { toolCalls } from "@dari/db";
import { limits, repeatedOutcomes } from "@dari/domain";

/** An event of a message, in the contract's form. */
interface PartEvent {
  readonly type: string;
  readonly data: unknown;
}

/** Collects the parts of one message from its events, in their order. */
export class PartCollector {
  #parts: IncludedPart[] = [];
  #bytes = 0;

  take({ type, data }: PartEvent): void {
    const fields = data as Readonly<Record<string, unknown>>;
    if (type === "attempt.ended" && repeatedOutcomes.includes(fields["outcome"])) {
      this.#parts = [];
      this.#bytes = 0;
    }
    const part = partOf(type, fields);
    if (part === undefined || this.isFull) return;
    this.#bytes += Buffer.byteLength(JSON.stringify(part));
    if (!this.isFull) this.#parts.push(part);
  }

  /** True if calls were left out. */
  get isFull(): boolean {
    return this.#bytes > limits.pageBytes;
  }

  /** Returns the fields of an answer with these parts before its own. */
  before(answer: readonly IncludedPart[]): { parts: IncludedPart[]; tool_calls_cut?: true } {
    return { parts: [...this.#parts, ...answer], ...(this.isFull ? { tool_calls_cut: true } : {}) };
  }
}

/** Returns the part that an event becomes. A subagent's texts are no part of the answer. */
function partOf(type: string, data: Readonly<Record<string, unknown>>): IncludedPart | undefined {
  if (type === "assistant.message") {
    return "parent_call_id" in data ? undefined : { type: "text", text: String(data["text"]) };
  }
  const { arguments_value_id: _given, result_value_id: _found, ...fields } = data;
  // Events are stored in the contract's form.
  if (type === "tool.call_requested") return { type: "tool_call", ...fields } as IncludedPart;
  return type === "tool.call_completed" ? ({ type: "tool_result", ...fields } as IncludedPart) : undefined;
}

/** Returns the record with the parts before those of its answer. A message without an answer stays as it is. */
export async function includeToolCalls(control: Control, actor: Actor, record: MessageRecord): Promise<MessageRecord> {
  if (record.output === null) return record;
  const collector = await collectToolParts(control, actor, { sessionId: record.session_id, messageId: record.id });
  return { ...record, output: { ...record.output, ...collector.before(record.output.parts) } };
}

/** Reads a message's events until the collector is full. */
export async function collectToolParts(
  control: Control,
  { organizationId }: Actor,
  of: { readonly sessionId: string; readonly messageId: string },
): Promise<PartCollector> {
  const collector = new PartCollector();
  for (let after = 0; !collector.isFull;) {
    const rows = await toolCalls.listPartEvents(control.db, { ...of, organizationId }, after, rowsPerRead);
    for (const row of rows) collector.take(row);
    if (rows.length < rowsPerRead) break;
    after = rows.at(-1)!.sequenceNumber;
  }
  return collector;
}

/** A row has up to 32 KiB. */
const rowsPerRead = 200;
