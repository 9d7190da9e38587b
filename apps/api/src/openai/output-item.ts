// The items of a response's output, and the stream events that show how each one grows. Pure: knows no ledger.

/** An event of a response's stream, before it gets its sequence number. */
export interface ResponseEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** An item as OpenAI's clients read it. */
export interface ShownItem {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface OutputItem {
  readonly id: string;
  /** Position in the stream's output. */
  readonly index: number;
  /** The item as it is shown last. */
  readonly shown: ShownItem;
  readonly isDone: boolean;
  /** Whether the ledger has it. Previews alone prove nothing. */
  readonly isKnown: boolean;
  /** Ends it as it is. What it showed was a preview, or belongs to an attempt that is repeated. */
  drop(): ResponseEvent[];
}

/** A text as the ledger has it. */
export interface WholeText {
  readonly text: string;
  /** Whether the ledger has only its beginning. */
  readonly isCut: boolean;
}

interface Place {
  readonly id: string;
  readonly index: number;
}

abstract class GrowingItem implements OutputItem {
  readonly id: string;
  readonly index: number;
  isDone = false;
  isKnown = false;
  /** The text so far: of the answer, the reasoning or the arguments. */
  protected text = "";

  constructor({ id, index }: Place) {
    this.id = id;
    this.index = index;
  }

  abstract get shown(): ShownItem;
  abstract drop(): ResponseEvent[];

  /** Returns whether a text continues what was shown of this item. */
  matches({ text, isCut }: WholeText): boolean {
    return text.startsWith(this.text) || (isCut && this.text.startsWith(text));
  }

  protected event(type: string, fields: object = {}): ResponseEvent {
    return { type: `response.${type}`, item_id: this.id, output_index: this.index, ...fields };
  }

  protected added(): ResponseEvent {
    return { type: "response.output_item.added", output_index: this.index, item: this.shown };
  }

  protected done(): ResponseEvent {
    this.isDone = true;
    return { type: "response.output_item.done", output_index: this.index, item: this.shown };
  }

  /** Sets the whole text. Returns what was not shown of it, if anything; a text that differs is only in `done`. */
  protected complete({ text, isCut }: WholeText): string {
    if (text.startsWith(this.text)) return text.slice(this.text.length);
    if (!isCut || !this.text.startsWith(text)) this.text = text;
    return "";
  }
}

export interface FileAnnotation {
  readonly type: "container_file_citation";
  readonly [field: string]: unknown;
}

/** Text that the agent wrote: before a tool call, or its answer. */
export class TextItem extends GrowingItem {
  readonly ordinal: number | undefined;
  #status = "in_progress";
  #phase: string | null = null;
  #annotations: readonly FileAnnotation[] = [];

  constructor(place: Place, ordinal?: number) {
    super(place);
    this.ordinal = ordinal;
  }

  get shown(): ShownItem {
    const content = this.#status === "in_progress" ? [] : [this.#part()];
    return { id: this.id, type: "message", role: "assistant", status: this.#status, phase: this.#phase, content };
  }

  open(): ResponseEvent[] {
    return [this.added(), this.event("content_part.added", { content_index: 0, part: this.#part() })];
  }

  push(delta: string): ResponseEvent[] {
    this.text += delta;
    return delta === "" ? [] : [this.event("output_text.delta", { content_index: 0, delta, logprobs: [] })];
  }

  end(
    whole: WholeText,
    phase: "commentary" | "final_answer",
    annotations: readonly FileAnnotation[] = [],
  ): ResponseEvent[] {
    this.isKnown = true;
    this.#phase = phase;
    return this.#close("completed", this.push(this.complete(whole)), annotations);
  }

  drop(): ResponseEvent[] {
    this.isKnown = false;
    return this.isDone ? [] : this.#close("incomplete", [], []);
  }

  #close(status: string, before: ResponseEvent[], annotations: readonly FileAnnotation[]): ResponseEvent[] {
    const cited = annotations.map((annotation, annotation_index) =>
      this.event("output_text.annotation.added", { content_index: 0, annotation_index, annotation }),
    );
    this.#annotations = annotations;
    this.#status = status;
    const place = { content_index: 0 };
    return [
      ...before,
      ...cited,
      this.event("output_text.done", { ...place, text: this.text, logprobs: [] }),
      this.event("content_part.done", { ...place, part: this.#part() }),
      this.done(),
    ];
  }

  #part(): object {
    return { type: "output_text", text: this.text, annotations: this.#annotations, logprobs: [] };
  }
}

/** What a model's SDK shows of its reasoning. */
export class ReasoningItem extends GrowingItem {
  readonly ordinal: number | undefined;
  #status = "in_progress";

  constructor(place: Place, ordinal?: number) {
    super(place);
    this.ordinal = ordinal;
  }

  get shown(): ShownItem {
    const summary = this.#status === "in_progress" ? [] : [this.#part()];
    return { id: this.id, type: "reasoning", status: this.#status, summary };
  }

  open(): ResponseEvent[] {
    return [this.added(), this.event("reasoning_summary_part.added", { summary_index: 0, part: this.#part() })];
  }

  push(delta: string): ResponseEvent[] {
    this.text += delta;
    return delta === "" ? [] : [this.event("reasoning_summary_text.delta", { summary_index: 0, delta })];
  }

  end(whole: WholeText): ResponseEvent[] {
    this.isKnown = true;
    return this.#close("completed", this.push(this.complete(whole)));
  }

  drop(): ResponseEvent[] {
    this.isKnown = false;
    return this.isDone ? [] : this.#close("incomplete", []);
  }

  #close(status: string, before: ResponseEvent[]): ResponseEvent[] {
    this.#status = status;
    const place = { summary_index: 0 };
    return [
      ...before,
      this.event("reasoning_summary_text.done", { ...place, text: this.text }),
      this.event("reasoning_summary_part.done", { ...place, part: this.#part() }),
      this.done(),
    ];
  }

  #part(): object {
    return { type: "summary_text", text: this.text };
  }
}

/** The label of tools that belong to no MCP server. */
const ownLabel = "agent";

/**
 * A tool call. Its type is `mcp_call`: the only type of OpenAI's whose calls of any name have been run already. Clients
 * would try to run a `function_call` themselves.
 */
export class CallItem extends GrowingItem {
  readonly callId: string;
  #name: string;
  #label = ownLabel;
  #status = "in_progress";
  #output: string | null = null;
  #error: string | null = null;

  constructor(place: Place, call: { readonly callId: string; readonly name: string }) {
    super(place);
    this.callId = call.callId;
    this.#name = call.name;
  }

  get shown(): ShownItem {
    const { id, text } = this;
    const result = { output: this.#output, error: this.#error, status: this.#status, approval_request_id: null };
    return { id, type: "mcp_call", name: this.#name, server_label: this.#label, arguments: text, ...result };
  }

  open(): ResponseEvent[] {
    return [this.added(), this.event("mcp_call.in_progress")];
  }

  push(delta: string): ResponseEvent[] {
    this.text += delta;
    return delta === "" ? [] : [this.event("mcp_call_arguments.delta", { delta })];
  }

  request(name: string, server: string | undefined, given: WholeText): ResponseEvent[] {
    this.isKnown = true;
    this.#name = name;
    this.#label = server ?? ownLabel;
    const rest = this.push(this.complete(given));
    return [...rest, this.event("mcp_call_arguments.done", { arguments: this.text })];
  }

  end(result: string, isError: boolean): ResponseEvent[] {
    this.#status = isError ? "failed" : "completed";
    if (isError) this.#error = result;
    else this.#output = result;
    return [this.event(`mcp_call.${this.#status}`), this.done()];
  }

  /** Ends a call without a result: the turn is over. */
  leave(): ResponseEvent[] {
    if (this.isDone) return [];
    this.#status = "incomplete";
    return [this.done()];
  }

  drop(): ResponseEvent[] {
    this.isKnown = false;
    return this.leave();
  }
}
