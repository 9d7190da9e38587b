// Waits until a message has ended. The row decides. A notification only says when to read the row.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { createWakeSignal } from "@dari/domain";
import { getMessage } from "./get-message.ts";

/** How often the row is read without a notification, in milliseconds: the delay if a notification is lost. */
const pollMs = 1_000;

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Whether the caller has just accepted the message itself, without waiting since. */
  readonly isNew?: boolean;
}

/**
 * Returns the record once the message has ended. For a merged message, waits for the message that it was merged into.
 * Returns earlier if the message waits for an input, which the caller may have to answer, after `timeoutMs`, or when
 * `signal` aborts.
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
  const wakeSignal = createWakeSignal();
  // Subscribe before the first read, so that an end between read and subscription is not missed.
  const unsubscribe = control.notifier.subscribe("message", messageId, wakeSignal.ring);
  options.signal?.addEventListener("abort", wakeSignal.ring);
  try {
    // A new message has not ended yet, so wait for the first notification instead of reading the row.
    if (options.isNew === true) await wakeSignal.wait(Math.min(options.timeoutMs, pollMs));
    for (;;) {
      const record = await getMessage(control, actor, messageId);
      const left = deadline - performance.now();
      if (isSettled(record.status) || left <= 0 || options.signal?.aborted === true) return record;
      await wakeSignal.wait(Math.min(left, pollMs));
    }
  } finally {
    unsubscribe();
    options.signal?.removeEventListener("abort", wakeSignal.ring);
  }
}

function isSettled(status: string): boolean {
  return ["completed", "failed", "cancelled", "waiting_for_input"].includes(status);
}
