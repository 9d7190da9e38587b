// Waits until a message has ended. The row decides; a notification only says when to read it.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { createWakeSignal } from "@dari/domain";
import { getMessage } from "./get-message.ts";

/** The maximum delay if a notification is lost, in milliseconds. */
const pollMs = 1_000;

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Whether the caller has just accepted the message itself, without waiting since. */
  readonly isNew?: boolean;
}

/**
 * Returns the record once the message has ended (a merged message: the record of the one it was merged into). Returns
 * it earlier if it waits for an input, which the caller may have to answer, after `timeoutMs`, or when `signal` aborts.
 * @throws AppError `not_found`.
 */
export async function waitForMessage(
  control: Control,
  actor: Actor,
  messageId: string,
  options: WaitOptions,
): Promise<MessageRecord> {
  const deadline = performance.now() + options.timeoutMs;
  const record = await waitForEnd(control, actor, messageId, options);
  if (record.merged_into === undefined) return record;
  return waitForMessage(control, actor, record.merged_into, {
    ...options,
    isNew: false,
    timeoutMs: Math.max(0, deadline - performance.now()),
  });
}

async function waitForEnd(
  control: Control,
  actor: Actor,
  messageId: string,
  options: WaitOptions,
): Promise<MessageRecord> {
  const deadline = performance.now() + options.timeoutMs;
  const bell = createWakeSignal();
  // Subscribe before the first read, so that an end between the two is not missed.
  const unsubscribe = control.notifier.subscribe("message", messageId, bell.ring);
  options.signal?.addEventListener("abort", bell.ring);
  try {
    // The message is new and its end is notified, so there is no need to read it first.
    if (options.isNew === true) await bell.wait(Math.min(options.timeoutMs, pollMs));
    for (;;) {
      const record = await getMessage(control, actor, messageId);
      const left = deadline - performance.now();
      if (isSettled(record.status) || left <= 0 || options.signal?.aborted === true) return record;
      await bell.wait(Math.min(left, pollMs));
    }
  } finally {
    unsubscribe();
    options.signal?.removeEventListener("abort", bell.ring);
  }
}

function isSettled(status: string): boolean {
  return ["completed", "failed", "cancelled", "waiting_for_input"].includes(status);
}
