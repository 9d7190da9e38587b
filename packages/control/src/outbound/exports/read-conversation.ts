// Reads the conversation of an export: checks it line by line, and buffers it on this machine's disk until it is
// recorded.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PortableEvent, PortableMessage } from "@dari/contract";
import { ArchiveRefusedError, type TarEntry } from "@dari/control/storage";
import { limits } from "@dari/domain";
import { readLines } from "./read-lines.ts";

/** The newest of a message's events so far. */
type Told = "nothing" | "begun" | "ended";

interface Known {
  readonly id: string;
  readonly status: PortableMessage["status"];
  told: Told;
  readonly isDelivered: boolean;
  /** Whether the event is missing that says which turn has taken it. */
  lacksSteering: boolean;
}

export class ConversationReceiver {
  readonly #dir: string;
  readonly #messages: Known[] = [];
  readonly #ids = new Set<string>();
  #messagePages = 0;
  #ledgerPages = 0;
  #bytes = 0;
  #lastEnd = 0;

  /** The caller removes `dir`. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Returns the messages' ids in the other installation, in order. */
  get messageIds(): readonly string[] {
    return this.#messages.map(({ id }) => id);
  }

  /** Whether the message with this number, from 1, was delivered in the turn of another one. */
  isDelivered(number: number): boolean {
    return this.#messages[number - 1]?.isDelivered === true;
  }

  /** Reads the next page of messages. @throws ArchiveRefusedError */
  async takeMessages(entry: TarEntry): Promise<void> {
    this.#count(entry);
    const page: PortableMessage[] = [];
    for await (const { value, at } of readLines<PortableMessage>(entry, PortableMessage)) {
      const problem = this.#problemOf(value);
      if (problem !== undefined) throw new ArchiveRefusedError(`${at}: ${problem}`);
      this.#ids.add(value.id);
      const isDelivered = value.delivered_in !== undefined;
      const { id, status } = value;
      this.#messages.push({ id, status, told: "nothing", isDelivered, lacksSteering: isDelivered });
      page.push(value);
    }
    await writeFile(this.#file("messages", ++this.#messagePages), JSON.stringify(page));
  }

  /** Reads the next page of events, after all messages. @throws ArchiveRefusedError */
  async takeLedger(entry: TarEntry): Promise<void> {
    this.#count(entry);
    const page: PortableEvent[] = [];
    for await (const { value, at } of readLines<PortableEvent>(entry, PortableEvent)) {
      const problem = timeProblem(value.created_at) ?? this.#tell(value);
      if (problem !== undefined) throw new ArchiveRefusedError(`${at}: ${problem}`);
      page.push(value);
    }
    await writeFile(this.#file("ledger", ++this.#ledgerPages), JSON.stringify(page));
  }

  /** @throws ArchiveRefusedError if the events do not cover each message from its beginning to its end. */
  end(): void {
    const open = this.#messages.findIndex(({ told }) => told !== "ended");
    if (open !== -1) throw new ArchiveRefusedError(`the ledger has no last event of message ${open + 1}`);
    const lacking = this.#messages.findIndex(({ lacksSteering }) => lacksSteering);
    if (lacking !== -1) throw new ArchiveRefusedError(`the ledger has no message.steered of message ${lacking + 1}`);
  }

  async *readMessages(): AsyncGenerator<PortableMessage[]> {
    for (let page = 1; page <= this.#messagePages; page++) yield await readPage(this.#file("messages", page));
  }

  async *readLedger(): AsyncGenerator<PortableEvent[]> {
    for (let page = 1; page <= this.#ledgerPages; page++) yield await readPage(this.#file("ledger", page));
  }

  #file(kind: string, page: number): string {
    return join(this.#dir, `${kind}-${page}.json`);
  }

  #count(entry: TarEntry): void {
    this.#bytes += entry.sizeBytes;
    if (this.#bytes > limits.exportConversationBytes) {
      throw new ArchiveRefusedError(`the conversation has more than ${limits.exportConversationBytes} bytes`);
    }
  }

  /** Returns a problem that the schema cannot express. */
  #problemOf(message: PortableMessage): string | undefined {
    if (this.#messages.length >= limits.exportMessages) return `more than ${limits.exportMessages} messages`;
    if (this.#ids.has(message.id)) return "id: expected another one for each message";
    if (message.attempts > message.max_attempts) return "attempts: expected at most max_attempts";
    const { delivered_in: turn } = message;
    const isDelivered = turn !== undefined;
    if (isDelivered && !this.#ids.has(turn)) return "delivered_in: expected an earlier message";
    if (isDelivered && (message.started_at !== null || message.parts.some(({ type }) => type !== "text"))) {
      return "delivered_in: expected a message without started_at and files";
    }
    const needsOutput = message.status === "completed" && !isDelivered;
    if (needsOutput && message.output === null) return "output: expected one of a completed message";
    if (message.status === "completed" && isDelivered && (message.output !== null || message.attempts > 0)) {
      return "delivered_in: expected a message without output and attempts";
    }
    const times = [message.created_at, message.started_at ?? message.created_at, message.completed_at];
    const problem = times.map(timeProblem).find((found) => found !== undefined);
    if (problem !== undefined) return problem;
    // A message that was delivered completes with its turn, or when that turn begins to wait for an input.
    if (message.status === "cancelled" || (message.status === "completed" && isDelivered)) return undefined;
    const end = Date.parse(message.completed_at);
    if (end < this.#lastEnd) return "completed_at: expected a time after those of the earlier messages";
    this.#lastEnd = end;
    return undefined;
  }

  #tell({ message, type }: PortableEvent): string | undefined {
    const known = this.#messages[message - 1];
    if (known === undefined) return `message: there is no message ${message}`;
    const expected: Told = type === "user.message" ? "nothing" : "begun";
    if (known.told !== expected) return `type: '${type}' is out of its order`;
    if (type === "user.message") known.told = "begun";
    if (type === "assistant.message_completed" || type === "workspace.committed") {
      return known.status === "completed" ? undefined : `type: message ${message} is not completed`;
    }
    if (type === "message.steered") {
      if (!known.lacksSteering) return `type: message ${message} was not delivered in a turn, or only once`;
      known.lacksSteering = false;
      return undefined;
    }
    if (!type.startsWith("message.")) return undefined;
    known.told = "ended";
    return type === `message.${known.status}` ? undefined : `type: message ${message} is ${known.status}`;
  }
}

async function readPage<Line>(file: string): Promise<Line[]> {
  return JSON.parse(await readFile(file, "utf8")) as Line[];
}

/** PostgreSQL and JavaScript agree on years of four digits, and there was no platform before 1970. */
function timeProblem(time: string): string | undefined {
  const parsed = Date.parse(time);
  return Number.isNaN(parsed) || parsed < 0 ? `${JSON.stringify(time)}: expected a time since 1970` : undefined;
}
