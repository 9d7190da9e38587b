// Waits until a message has ended. The row decides; the notifier only says when to look.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { createBell } from "@dari/domain";
import { getMessage } from "./get-message.ts";

/** How long a lost notification may cost, in milliseconds. */
const pollMs = 1_000;

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** The caller has accepted the message itself, and has waited for nothing since. */
  readonly isNew?: boolean;
}

/**
 * The record once it is terminal (of a merged message, that of the one it became part of), or as it is when it waits
 * for an input, which may be the caller's to answer, after `timeoutMs`, or when `signal` aborts.
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
  const bell = createBell();
  // Subscribe before the first look: an end between the two is then either seen or rung.
  const unsubscribe = control.notifier.subscribe("message", messageId, bell.ring);
  options.signal?.addEventListener("abort", bell.ring);
  try {
    // Its end cannot have been missed: it rings.
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
