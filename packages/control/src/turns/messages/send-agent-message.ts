// Sends messages for clients of events: the reply is the event that accepted the message.

import type { SendAgentMessageRequest, SentEvent } from "@dari/contract";
import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { events } from "@dari/db";
import { notFound } from "@dari/domain";
import { createSession } from "../sessions/create-session.ts";
import { getSession } from "../sessions/get-session.ts";
import { readEvents } from "../sessions/list-events.ts";
import { getMessage } from "./get-message.ts";
import { sendMessage } from "./send-message.ts";

/**
 * Creates a session and sends its first message in one commit. A refused message leaves no session.
 * @throws AppError like `createSession` and `sendMessage`
 */
export async function sendAgentMessage(
  control: Control,
  actor: Actor,
  agentId: string,
  request: SendAgentMessageRequest,
): Promise<{ messageId: string }> {
  return inOneTransaction(control, async (inside) => {
    const { id: sessionId } = await createSession(inside, actor, agentId, request.session ?? {});
    const { content: parts, metadata = {} } = request;
    return sendMessage(inside, actor, { sessionId, parts, metadata, partsField: "content" });
  });
}

/** Returns the message, its session, and the event that accepted it, as they are now. @throws AppError `not_found` */
export async function getSentEvent(control: Control, actor: Actor, messageId: string): Promise<SentEvent> {
  const { organizationId } = actor;
  const message = await getMessage(control, actor, messageId);
  const sessionId = message.session_id;
  const session = await getSession(control, actor, sessionId);
  const number = await events.findAcceptance(control.db, organizationId, sessionId, messageId);
  if (number === undefined) throw notFound("event");
  const place = { organizationId, sessionId, afterSequenceNumber: number - 1, limit: 1 };
  const [event] = (await readEvents(control.db, place)).rows;
  if (event === undefined) throw notFound("event");
  return { event, message, session };
}
