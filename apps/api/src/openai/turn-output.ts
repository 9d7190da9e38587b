// What a turn shows of itself, as items of OpenAI's: from the ledger's events, and while it runs also from previews.
// The stream and the finished response come from this one translation. Pure.

import type { EventRecord, MessageRecord } from "@dari/contract";
import { limits, repeatedOutcomes, type Preview } from "@dari/domain";
import {
  CallItem,
  ReasoningItem,
  TextItem,
  type FileAnnotation,
  type OutputItem,
  type ResponseEvent,
  type ShownItem,
  type WholeText,
} from "./output-item.ts";

/** An event of the ledger, as lists, streams and rows have it. */
export interface TurnEvent {
  readonly type: string;
  readonly data: unknown;
}

/** The answer of a turn, as its record has it. */
export type Answer = Pick<NonNullable<MessageRecord["output"]>, "parts">;

/** Events of these types count toward the limit, as when the turn is read later. */
const countedTypes: readonly string[] = [
  "reasoning.completed",
  "assistant.message",
  "tool.call_requested",
  "tool.call_completed",
  "attempt.ended",
];
/** What an item takes besides its texts. */
const itemBytes = 512;
/** Previews open no more texts than this at once. */
const openTextsMax = 1_000;

/**
 * Keeps the items of `limits.pageBytes` of events, and as much of previews. Later events are left out, except the
 * answer; later previews come with their events.
 */
export class TurnOutput {
  readonly #idPart: string;
  /** In the order of the ledger. */
  readonly #known = new Set<OutputItem>();
  /** Texts and reasoning that may be open, in the order of the stream. Those that are done leave at the next search. */
  readonly #texts = new Set<TextItem | ReasoningItem>();
  /** The last call of each id. */
  readonly #calls = new Map<string, CallItem>();
  /** How many items each kind has. */
  readonly #counts = new Map<string, number>();
  /** How many items the stream has. Previews open items before the ledger has them. */
  #length = 0;
  #eventBytes = 0;
  #previewBytes = 0;
  /** The texts of previews alone. */
  #previewChars = 0;
  /** How much of the attempt's text was shown without a gap, in UTF-16 units. */
  #shownText = 0;

  /** `responseId`: the ids of the items are made from it. */
  constructor(responseId: string) {
    this.#idPart = responseId.slice(responseId.indexOf("_") + 1);
  }

  /** Returns the items that the ledger proves, in its order. */
  get items(): ShownItem[] {
    return [...this.#known].filter(({ isKnown }) => isKnown).map(({ shown }) => shown);
  }

  /** About how many bytes it keeps. Counts items also after they were dropped. */
  get keptBytes(): number {
    return this.#eventBytes + this.#previewChars + this.#length * itemBytes;
  }

  /** Takes an event of the ledger. */
  take({ type, data }: TurnEvent | EventRecord): ResponseEvent[] {
    if (countedTypes.includes(type)) {
      if (!this.#isFull) this.#eventBytes += Buffer.byteLength(JSON.stringify(data));
      if (this.#isFull) return [];
    }
    // The ledger stores events in the contract's form.
    const fields = data as Readonly<Record<string, unknown>>;
    // A subagent's texts are not part of the answer.
    const isOwn = fields["parent_call_id"] === undefined;
    if (type === "reasoning.completed") return isOwn ? this.#takeReasoning(textOf(fields, "text")) : [];
    if (type === "assistant.message") return isOwn ? this.#takeText(textOf(fields, "text")) : [];
    if (type === "tool.call_requested") return this.#takeCall(fields);
    if (type === "tool.call_completed") return this.#takeResult(fields);
    if (type === "attempt.started") this.#shownText = 0;
    return type === "attempt.ended" ? this.#endAttempt(fields["outcome"]) : [];
  }

  /** Takes a preview. After a lost one, the rest of a text comes with its event. */
  preview({ type, data }: Preview): ResponseEvent[] {
    if (this.#isFull || this.#previewBytes > limits.pageBytes || this.#texts.size > openTextsMax) return [];
    this.#previewBytes += Buffer.byteLength(JSON.stringify(data));
    if (this.#previewBytes > limits.pageBytes) return [];
    const ordinal = data["ordinal"] as number | undefined;
    const delta = String(data["text"]);
    this.#previewChars += delta.length;
    if (type === "reasoning.delta") {
      const isSame = (item: OutputItem) => item instanceof ReasoningItem && item.ordinal === ordinal;
      const [item, opened] = this.#findText(isSame, () => new ReasoningItem(this.#place("rs"), ordinal));
      return [...opened, ...item.push(delta)];
    }
    if (type === "tool.arguments_delta") {
      const call = { callId: String(data["call_id"]), name: String(data["name"]) };
      const [item, opened] = this.#openCall(call);
      return item.isKnown ? [] : [...opened, ...item.push(delta)];
    }
    if (type !== "assistant.text_delta" || data["offset"] !== this.#shownText) return [];
    this.#shownText += delta.length;
    const isSame = (item: OutputItem) => item instanceof TextItem && item.ordinal === ordinal;
    const [item, opened] = this.#findText(isSame, () => new TextItem(this.#place("msg"), ordinal));
    return [...opened, ...item.push(delta)];
  }

  get #isFull(): boolean {
    return this.#eventBytes > limits.pageBytes;
  }

  /** Ends the turn. `output`: the answer of a completed turn. `containerId` names where its files are. */
  end(output: Answer | null, containerId: string): ResponseEvent[] {
    const events = output === null ? [] : this.#takeAnswer(output, containerId);
    const calls = this.#open().flatMap((item) => (item instanceof CallItem && item.isKnown ? item.leave() : []));
    return [...this.#dropOpen(() => true, events), ...calls];
  }

  #takeReasoning(text: WholeText): ResponseEvent[] {
    const isSame = (item: OutputItem) => item instanceof ReasoningItem && item.matches(text);
    const [item, opened] = this.#findText(isSame, () => new ReasoningItem(this.#place("rs")));
    this.#known.add(item);
    return [...opened, ...item.end(text)];
  }

  #takeText(text: WholeText): ResponseEvent[] {
    const isSame = (item: OutputItem) => item instanceof TextItem && item.matches(text);
    const [item, opened] = this.#findText(isSame, () => new TextItem(this.#place("msg")));
    this.#known.add(item);
    return [...opened, ...item.end(text, "commentary")];
  }

  #takeCall(data: Readonly<Record<string, unknown>>): ResponseEvent[] {
    const name = String(data["name"]);
    const [item, opened] = this.#openCall({ callId: String(data["call_id"]), name });
    this.#known.add(item);
    return [...opened, ...item.request(name, data["server"] as string | undefined, textOf(data, "arguments"))];
  }

  #takeResult(data: Readonly<Record<string, unknown>>): ResponseEvent[] {
    const item = this.#calls.get(String(data["call_id"]));
    if (item === undefined || item.isDone) return [];
    const { result } = data;
    return item.end(typeof result === "string" ? result : JSON.stringify(result), data["is_error"] === true);
  }

  #endAttempt(outcome: unknown): ResponseEvent[] {
    if (repeatedOutcomes.includes(outcome)) return this.#dropAttempt();
    // The next attempt has the results of the calls that wait for a person.
    return outcome === "suspended" ? this.#dropOpen((item) => !(item instanceof CallItem)) : [];
  }

  /** Drops everything, also what is done: the next attempt starts from the beginning. */
  #dropAttempt(): ResponseEvent[] {
    const events = this.#open().flatMap((item) => item.drop());
    this.#known.clear();
    this.#texts.clear();
    this.#calls.clear();
    return events;
  }

  /** Files are annotations of the text, which is empty if there is none. */
  #takeAnswer({ parts }: Answer, containerId: string): ResponseEvent[] {
    const joined = parts.map((part) => (part.type === "text" ? part.text : "")).join("");
    const text = { text: joined, isCut: false };
    const files = parts.flatMap((part) => ("path" in part ? [citation(part.path, containerId)] : []));
    const open = this.#open().filter((item) => item instanceof TextItem);
    // Earlier texts of which no event has come are not the answer.
    const last = open.at(-1);
    const events = open.slice(0, -1).flatMap((item) => item.drop());
    if (last?.matches(text) === true) {
      this.#known.add(last);
      return [...events, ...last.end(text, "final_answer", files)];
    }
    if (last !== undefined) events.push(...last.drop());
    const item = new TextItem(this.#place("msg"));
    this.#known.add(item);
    return [...events, ...item.open(), ...item.end(text, "final_answer", files)];
  }

  #openCall(call: { readonly callId: string; readonly name: string }): [CallItem, ResponseEvent[]] {
    const found = this.#calls.get(call.callId);
    if (found?.isDone === false) return [found, []];
    const item = new CallItem(this.#place("mcp"), call);
    this.#calls.set(call.callId, item);
    return [item, item.open()];
  }

  /** Returns the oldest open text or reasoning, or a new one with the events that open it. */
  #findText<Item extends TextItem | ReasoningItem>(
    isSame: (item: OutputItem) => boolean,
    create: () => Item,
  ): [Item, ResponseEvent[]] {
    for (const each of this.#texts) {
      if (each.isDone) this.#texts.delete(each);
      else if (isSame(each)) return [each as Item, []];
    }
    const item = create();
    this.#texts.add(item);
    return [item, item.open()];
  }

  /** In the order of the stream. */
  #open(): OutputItem[] {
    const items: OutputItem[] = [...this.#texts, ...this.#calls.values()];
    return items.filter(({ isDone }) => !isDone).sort((left, right) => left.index - right.index);
  }

  #dropOpen(isDropped: (item: OutputItem) => boolean, before: readonly ResponseEvent[] = []): ResponseEvent[] {
    const dropped = this.#open().filter((item) => !item.isKnown && isDropped(item));
    return [...before, ...dropped.flatMap((item) => item.drop())];
  }

  /** Numbers the items of each kind, so that the order in which previews open them does not matter. */
  #place(prefix: string) {
    const number = this.#counts.get(prefix) ?? 0;
    this.#counts.set(prefix, number + 1);
    return { id: `${prefix}_${this.#idPart}${String(number).padStart(4, "0")}`, index: this.#length++ };
  }
}

/** Returns a value of an event as text. The beginning of a value that was cut is text already. */
function textOf(data: Readonly<Record<string, unknown>>, name: "text" | "arguments"): WholeText {
  const isCut = data[`${name}_bytes`] !== undefined;
  return { text: name === "text" || isCut ? String(data[name]) : JSON.stringify(data[name]), isCut };
}

/** Names a file of the session's workspace: the container is the session, and the file's id its path. */
function citation(path: string, containerId: string): FileAnnotation {
  const filename = path.slice(path.lastIndexOf("/") + 1);
  return {
    type: "container_file_citation",
    container_id: containerId,
    file_id: path,
    filename,
    start_index: 0,
    end_index: 0,
  };
}
