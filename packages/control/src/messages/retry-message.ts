// Sends a failed message again. Failed is final, so the copy cannot miss a change of the original.

import type { RetryMessageRequest } from "@dari/contract";
import { AppError } from "@dari/domain";
import type { Actor, Control } from "../context.ts";
import { invalidField } from "../refusals.ts";
import { getMessage } from "./get-message.ts";
import { sendMessage, type InputPart } from "./send-message.ts";

/**
 * The same parts and metadata as a new message at the session's tail, whatever the session says of busy ones.
 * @throws AppError `not_found`; `conflict` when it has not failed, or its session takes no more messages; `invalid`
 * when a file of it is deleted, and for a fork.
 */
export async function retryMessage(
  control: Control,
  actor: Actor,
  messageId: string,
  request: RetryMessageRequest,
): Promise<{ messageId: string }> {
  if (request.fork === true) throw invalidField("fork", "a retry in a fork is not available yet; leave it out");
  if (request.version_id !== undefined) {
    throw invalidField("version_id", "a retry on another version is not available yet; leave it out");
  }
  const failed = await getMessage(control, actor, messageId);
  if (failed.status !== "failed") {
    throw new AppError("conflict", `the message is ${failed.status}; only a failed one can be sent again`);
  }
  return sendMessage(control, actor, {
    sessionId: failed.session_id,
    parts: failed.parts.map((part): InputPart =>
      part.type === "text" ? part : { type: part.type, file_id: part.file_id },
    ),
    metadata: failed.metadata,
    onBusy: "enqueue",
    retryOf: { messageId, parts: failed.parts.map((part) => (part.type === "text" ? {} : part)) },
  });
}
