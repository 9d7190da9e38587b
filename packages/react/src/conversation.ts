// A session's conversation, made from its events. The same events always make the same conversation.

import { isLedgerEvent, type StreamItem } from "@dari/client";
import type { ConversationMessage } from "./shown.ts";
import { applyToTurn, beginTurn, leaveOut, showTurn, type Turn } from "./turn.ts";

export class Conversation {
  /** In the order of their acceptance. */
  readonly #turns = new Map<string, Turn>();
  #position = 0;
  #isEnded = false;

  /** The number of the last event. */
  get position(): number {
    return this.#position;
  }

  /** Whether the session accepts no more messages. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Returns the messages in the order of their acceptance. One that has not changed is the same object as before. */
  listMessages(): ConversationMessage[] {
    return [...this.#turns.values()].filter(({ isLeftOut }) => !isLeftOut).map(showTurn);
  }

  /** Returns whether the message was accepted, also if it is left out since. */
  has(messageId: string): boolean {
    return this.#turns.has(messageId);
  }

  /** Adds an event, unless the conversation has it already. */
  apply(item: StreamItem): void {
    if (isLedgerEvent(item)) {
      if (item.sequence_number <= this.#position) return;
      this.#position = item.sequence_number;
      if (item.type === "session.status_changed") {
        this.#isEnded = item.data.status !== "idle" && item.data.status !== "active";
        return;
      }
      if (item.type === "session.rolled_back") return this.#leaveOutAfter(item.message_id);
      if (item.type === "user.message") return void this.#turns.set(item.message_id, beginTurn(item));
    }
    const turn = this.#turns.get(item.message_id ?? "");
    if (turn !== undefined && !turn.isLeftOut) applyToTurn(turn, item);
  }

  #leaveOutAfter(messageId: string | undefined): void {
    if (this.#turns.get(messageId ?? "")?.isLeftOut !== false) return;
    let isAfter = false;
    for (const [id, turn] of this.#turns) {
      if (isAfter) leaveOut(turn);
      if (id === messageId) isAfter = true;
    }
  }
}
