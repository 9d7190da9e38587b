// Messages in the form of the hosted service's later clients: sent as an event, or together with a new session.

import Type, { type Static } from "typebox";
import { metadata, oneOf, noOtherFields } from "./common.ts";
import { EventRecord } from "./events.ts";
import { MessageRecord, messageParts } from "./messages.ts";
import { CreateSessionRequest, SessionRecord } from "./sessions.ts";

const userMessage = {
  type: oneOf(["user.message"]),
  content: messageParts,
  metadata: Type.Optional(metadata),
};

export const SendSessionEventRequest = Type.Object(userMessage, { ...noOtherFields, title: "SendSessionEventRequest" });
export type SendSessionEventRequest = Static<typeof SendSessionEventRequest>;

export const SendAgentMessageRequest = Type.Object(
  { ...userMessage, session: Type.Optional(CreateSessionRequest) },
  { ...noOtherFields, title: "SendAgentMessageRequest" },
);
export type SendAgentMessageRequest = Static<typeof SendAgentMessageRequest>;

export const SentEvent = Type.Object(
  { event: EventRecord, message: MessageRecord, session: SessionRecord },
  { title: "SentEvent" },
);
export type SentEvent = Static<typeof SentEvent>;
