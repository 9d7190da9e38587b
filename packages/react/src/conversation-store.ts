// Keeps a session's conversation up to date for as long as a component shows it. Knows no React.

import { ApiError, type Client } from "@dari/client";
import { Conversation } from "./conversation.ts";
import type { ConversationMessage } from "./shown.ts";

/** `ended`: the session accepts no more messages. */
export type ConversationStatus = "loading" | "idle" | "running" | "waiting_for_input" | "ended";

export interface ConversationState {
  readonly messages: readonly ConversationMessage[];
  readonly status: ConversationStatus;
  /** Whether events arrive as they happen. While false, a lost connection is opened again. */
  readonly isConnected: boolean;
  /** Why the conversation is no longer up to date: the platform refuses it, or does not answer. */
  readonly error: Error | undefined;
}

const pageEvents = 500;
/** How long until the session is followed again after a failure. Milliseconds. The client itself has tried before. */
const pauseMs = 5_000;

export class ConversationStore {
  readonly #client: Client;
  readonly #sessionId: string;
  readonly #listeners = new Set<() => void>();
  readonly #conversation = new Conversation();
  #connection = { isLoaded: false, isConnected: false, error: undefined as Error | undefined };
  #state: ConversationState = { messages: [], status: "loading", isConnected: false, error: undefined };
  #publishing: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client, sessionId: string) {
    this.#client = client;
    this.#sessionId = sessionId;
  }

  /** Follows the session. Returns what stops that; it can be started again. */
  start(): () => void {
    const stopping = new AbortController();
    void this.#run(stopping.signal);
    return () => {
      stopping.abort();
      this.#set({ isConnected: false });
    };
  }

  readonly subscribe = (onChange: () => void): (() => void) => {
    this.#listeners.add(onChange);
    return () => this.#listeners.delete(onChange);
  };

  readonly getState = (): ConversationState => this.#state;

  /** Resolves when the state has a message, or has left it out. */
  waitForMessage(messageId: string): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!this.#conversation.has(messageId)) return;
        stop();
        resolve();
      };
      const stop = this.subscribe(check);
      if (this.#publishing === undefined) check();
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const failure = await this.#follow(signal).then(
        () => undefined,
        (reason: unknown) => (reason instanceof Error ? reason : new Error(String(reason))),
      );
      if (signal.aborted) return;
      this.#set({ isConnected: false, error: failure ?? new Error("the session was deleted") });
      if (failure === undefined || isFinal(failure)) return;
      await waitFor(pauseMs, signal);
    }
  }

  /** Ends when the session is deleted, and throws when the stream cannot be continued. */
  async #follow(signal: AbortSignal): Promise<void> {
    for (let hasMore = true; hasMore;) {
      const query = { after_seq: this.#conversation.position, limit: pageEvents };
      const page = await this.#client.listEvents(this.#sessionId, query, { signal });
      for (const event of page.data) this.#conversation.apply(event);
      hasMore = page.has_more;
    }
    // Before this, nothing is shown: to show each page would take a time that grows with the square of their number.
    this.#set({ isLoaded: true });
    const onConnection = (isConnected: boolean): void => {
      if (!signal.aborted) this.#set({ isConnected, ...(isConnected ? { error: undefined } : {}) });
    };
    const after = { after_seq: this.#conversation.position };
    for await (const item of this.#client.streamSession(this.#sessionId, after, { signal, onConnection })) {
      if (signal.aborted) return;
      this.#conversation.apply(item);
      this.#publish();
    }
  }

  #set(changes: Partial<{ isLoaded: boolean; isConnected: boolean; error: Error | undefined }>): void {
    this.#connection = { ...this.#connection, ...changes };
    this.#publish();
  }

  /** Events that arrive together are shown together. */
  #publish(): void {
    this.#publishing ??= setTimeout(() => {
      this.#publishing = undefined;
      const { isLoaded, ...shown } = this.#connection;
      const messages = this.#conversation.listMessages();
      const status = isLoaded ? statusOf(messages, this.#conversation.isEnded) : "loading";
      this.#state = { messages, status, ...shown };
      for (const onChange of this.#listeners) onChange();
    });
  }
}

function statusOf(messages: readonly ConversationMessage[], isEnded: boolean): ConversationStatus {
  const statuses = messages.map(({ status }) => status);
  if (statuses.includes("running") || statuses.includes("queued")) return "running";
  if (statuses.includes("waiting_for_input")) return "waiting_for_input";
  return isEnded ? "ended" : "idle";
}

/** Refusals that are temporary although their status is below 500. */
const passing: readonly number[] = [408, 429];

/** Returns whether another try would be refused too. */
function isFinal(error: Error): boolean {
  return error instanceof ApiError && error.status < 500 && !passing.includes(error.status);
}

/** Resolves early if the signal aborts. */
function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
