// A session as an agent of the AG-UI protocol: one run sends a message, or answers what the agent asked.

import { findMessageInOrder, getSession, sendMessage } from "@dari/control/turns";
import type { StreamItem } from "@dari/control/outbound";
import { isId, newId } from "@dari/domain";
import type { Call, Handlers } from "../http/call.ts";
import type { InputPart } from "../openai/input.ts";
import { interruption } from "../openai/response-stream.ts";
import { discardInput, storedPartsOf, storeInput } from "../openai/store-input.ts";
import { refuseTokenMetadata } from "../routes/messages.ts";
import { checkStream, sendItems } from "../routes/streams.ts";
import { AgUiEvents, runFinished, runStarted, type AgUiEvent, type AgUiEventOptions } from "./ag-ui-events.ts";
import { readSnapshot } from "./ag-ui-history.ts";
import { abandonedIn, hasSameContent, readAgUiAction, readAgUiParts } from "./ag-ui-request.ts";
import { abandonQuestion, answerQuestion, checkAnswers, getMessageOf, lastAnswered } from "./answer-question.ts";
import { readTurnParts } from "./read-turn.ts";
import { sendTurn, type TurnText } from "./send-turn.ts";
import { TurnParts } from "./turn-parts.ts";

export const agUiHandlers: Handlers<"runAgUi"> = {
  runAgUi: { prepare, planId: () => newId("message"), create, read, keyIn, identify, discard: discardInput },
};

type RunCall = Call<"runAgUi">;

/** The client's id of a message or of what it answers. A repeated run then shows the first one's turn. */
function keyIn(body: RunCall["body"]): string | undefined {
  const action = readAgUiAction(body);
  if (action.kind === "send") return `ag-ui:${action.message.id}`;
  return action.kind === "answer" ? `ag-ui:${body.resume?.[0]?.interruptId}` : undefined;
}

/** Two runs are equal if they send the same. */
function identify(body: RunCall["body"]): unknown {
  const action = readAgUiAction(body);
  return action.kind === "send" ? action.message : action;
}

/**
 * Cancels the message whose interrupt was abandoned. Repeating it changes nothing. Stores the files in the request.
 * Refuses what the message could not be sent with.
 */
async function prepare(call: RunCall): Promise<void> {
  const { control, actor, params, body } = call;
  const action = readAgUiAction(body);
  checkStream(call);
  if (action.kind === "answer") checkAnswers(action);
  if (action.kind === "send") refuseTokenMetadata(actor, action.message.metadata, `${action.path}.metadata`);
  const abandoned = abandonedIn(body);
  if (abandoned !== undefined) await abandonQuestion(control, actor, { ...abandoned, sessionId: params.session_id });
  if (action.kind !== "send") return;
  const parts = readAgUiParts(action.message.content);
  if ((await findAbandoned(call, parts)) === undefined) await storeInput(call, parts);
}

/**
 * Returns the message whose interrupt the run abandons, if the run has the same message as its last one: it is shown
 * and not sent. Its idempotency key can have expired, so that alone does not keep the agent from running it again.
 */
async function findAbandoned(
  { control, actor, params, body }: RunCall,
  parts: readonly InputPart[],
): Promise<string | undefined> {
  const abandoned = abandonedIn(body);
  if (abandoned === undefined) return undefined;
  const { messageId } = abandoned;
  const message = await getMessageOf(control, actor, { sessionId: params.session_id, messageId });
  return hasSameContent(message, parts) ? messageId : undefined;
}

async function create(call: RunCall): Promise<{ resourceId: string }> {
  const { control, actor, params, body } = call;
  const { session_id: sessionId } = params;
  const action = readAgUiAction(body);
  switch (action.kind) {
    case "answer":
      await answerQuestion(control, actor, { ...action, sessionId });
      return { resourceId: action.messageId };
    case "show":
      return { resourceId: (await getMessageOf(control, actor, { sessionId, messageId: action.messageId })).id };
    case "attach":
      await getSession(control, actor, sessionId);
      return { resourceId: sessionId };
    case "send": {
      const { message, path } = action;
      const abandoned = await findAbandoned(call, readAgUiParts(message.content));
      if (abandoned !== undefined) return { resourceId: abandoned };
      const parts = await storedPartsOf(call);
      const metadata = message.metadata ?? {};
      const sent = { sessionId, messageId: call.plannedId, parts, metadata, partsField: `${path}.content` };
      return { resourceId: (await sendMessage(control, actor, sent)).messageId };
    }
  }
}

async function read(call: RunCall, resourceId: string, { isNew }: { readonly isNew: boolean }): Promise<void> {
  const { control, actor, body } = call;
  const run = { threadId: body.threadId, runId: body.runId };
  if (!isId("message", resourceId)) return attach(call, resourceId);
  const action = readAgUiAction(body);
  const afterInput = action.kind === "answer" ? await lastAnswered(control, actor, action) : undefined;
  const text = new AgUiStream({ run, messageId: resourceId, afterInput, before: [runStarted(run)] });
  await sendTurn(call, resourceId, { text, promised: isNew && action.kind !== "show" });
}

/** Sends the conversation, and then the turn that runs, or the question that waits. */
async function attach(call: RunCall, sessionId: string): Promise<void> {
  const { control, actor, body } = call;
  const run = { threadId: body.threadId, runId: body.runId };
  const open = await findMessageInOrder(control, actor, { sessionId, order: "asc", from: undefined, isOpen: true });
  const before = [runStarted(run), await readSnapshot(control, actor, sessionId)];
  if (open !== undefined && open.status !== "waiting_for_input") {
    const text = new AgUiStream({ run, messageId: open.id, before });
    return sendTurn(call, open.id, { text, promised: false });
  }
  const events = new AgUiEvents({ run, messageId: open?.id ?? "" });
  const asked =
    open === undefined ? [] : (await readTurnParts(control, actor, open)).flatMap((one) => events.encode(one));
  const last = asked.at(-1) ?? runFinished(run, { type: "success" });
  await sendItems(call, nothing(), { render: () => "", finish: () => [...before, last].map(textOf).join("") });
}

async function* nothing(): AsyncGenerator<StreamItem, void, void> {}

interface AgUiStreamOptions extends AgUiEventOptions {
  /** The events that open the run. */
  readonly before: readonly AgUiEvent[];
}

/** A turn as server-sent events. */
class AgUiStream implements TurnText {
  readonly #messageId: string;
  readonly #parts: TurnParts;
  readonly #events: AgUiEvents;
  #before: readonly AgUiEvent[];

  constructor({ before, ...options }: AgUiStreamOptions) {
    this.#messageId = options.messageId;
    this.#parts = new TurnParts(options.messageId);
    this.#events = new AgUiEvents(options);
    this.#before = before;
  }

  get isOver(): boolean {
    return this.#events.isOver;
  }

  get keptBytes(): number {
    return this.#parts.keptBytes;
  }

  render(item: StreamItem): string {
    const events = this.#parts.takeItem(item).flatMap((part) => this.#events.encode(part));
    return this.#opened([...events]);
  }

  finish(): string {
    if (this.isOver) return "";
    const { message, code } = interruption(`message ${this.#messageId}`);
    return this.#opened([{ type: "RUN_ERROR", message, code }]);
  }

  #opened(events: readonly AgUiEvent[]): string {
    const text = [...this.#before, ...events].map(textOf).join("");
    this.#before = [];
    return text;
  }
}

function textOf(event: AgUiEvent): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}
