// Accepts a message with one statement and one commit. From then on, the session's row guarantees that it runs.

import { deliverTurns, type Actor, type Control } from "@dari/control/context";
import { requireTokenScope } from "@dari/control/tenants";
import { sessionTokens, turnDetails, turns, type AcceptedMessage, type AttachedFile } from "@dari/db";
import {
  AppError,
  leafFilename,
  limits,
  newId,
  numberedFilename,
  type Lane,
  type MessageLimits,
  type OnBusy,
} from "@dari/domain";

export type MessagePartToSend =
  { readonly type: "text"; readonly text: string } | { readonly type: "file" | "image"; readonly file_id: string };

export type SendingControl = Pick<Control, "db" | "backlog" | "admission" | "notifier" | "delivery" | "log">;

export interface SendMessageInput {
  readonly sessionId: string;
  /** The id of the message (default: a new one). */
  readonly messageId?: string | undefined;
  readonly parts: readonly MessagePartToSend[];
  readonly metadata: Record<string, unknown>;
  /** Default: the session's setting. */
  readonly onBusy?: OnBusy | undefined;
  /** Default: interactive. */
  readonly lane?: Lane | undefined;
  readonly retryOf?: EarlierMessage | undefined;
  /** Another message whose files keep their paths. */
  readonly pathsOf?: EarlierMessage | undefined;
  /** Default: those of the message that it retries. */
  readonly limits?: MessageLimits | undefined;
  /** The digest of the conversation up to this message: see `findAnsweredConversation`. */
  readonly conversationDigest?: Buffer | undefined;
  /** The name of the parts in the request, for errors (default: `parts`). */
  readonly partsField?: string;
}

/** A message that is sent again. Each file keeps its path if the path still has this file. */
export interface EarlierMessage {
  readonly messageId: string;
  /** The stored parts, in the order of the new message's parts. */
  readonly parts: readonly { readonly path?: string }[];
}

/** Maximum number of attempts: if two messages choose the same file name concurrently, the second one tries again. */
const clashRetriesMax = 8;

/**
 * Accepts a message. One that a session token sends says who its end user is.
 * @throws AppError `not_found`, `conflict` (session ended, version cannot start), `session_busy`, `invalid` (unknown
 *   file), `limit_exceeded` (backlog), `forbidden` (the token does not allow it).
 */
export async function sendMessage(
  control: SendingControl,
  actor: Pick<Actor, "organizationId" | "sessionToken">,
  sent: SendMessageInput,
): Promise<{ messageId: string }> {
  const startedAt = performance.now();
  const input = await limitToToken(control, actor, sent);
  await control.backlog.admit(control.db, actor.organizationId);
  const { messageId = newId("message") } = input;
  const fileIds = input.parts.flatMap((part) => (part.type === "text" ? [] : [part.file_id]));
  const filenames = await turnDetails.listFilenames(control.db, actor.organizationId, fileIds);
  // A background message waits for the dispatcher, which knows which other messages wait.
  const dispatchAtOnce = input.lane !== "background" && control.admission.mayDispatch(actor.organizationId);
  for (let i = 0; i < clashRetriesMax; i++) {
    const { parts, attachments } = await placeParts(control, input, filenames);
    const accepted = await turns.acceptMessage(control.db, {
      organizationId: actor.organizationId,
      sessionId: input.sessionId,
      messageId,
      parts,
      metadata: input.metadata,
      attachments,
      dispatchTtlMs: dispatchAtOnce ? limits.dispatchTtlMs : undefined,
      onBusy: input.onBusy,
      retryOf: input.retryOf?.messageId,
      lane: input.lane,
      conversationDigest: input.conversationDigest,
      limits: input.limits,
    });
    if (accepted.outcome === "input_clash") continue;
    if (accepted.outcome !== "accepted") throw refusal(accepted, input);
    notifyAccepted(control, actor, input.sessionId, messageId, accepted);
    const ms = Math.round(performance.now() - startedAt);
    control.log.debug(
      { org: actor.organizationId, session: input.sessionId, message: messageId, ms },
      "message.accepted",
    );
    return { messageId };
  }
  throw new AppError(
    "conflict",
    "other messages used the names of these files at the same time; send the message again",
  );
}

/**
 * Checks what a session token sends. Every way to send leads here, so this is where the scope `send` is required. The
 * metadata says only who sent it (functions `sender_of`).
 */
async function limitToToken(
  { db }: SendingControl,
  { sessionToken }: Pick<Actor, "sessionToken">,
  input: SendMessageInput,
): Promise<SendMessageInput> {
  if (sessionToken === undefined) return input;
  if (input.sessionId !== sessionToken.sessionId) throw new Error("a session token sends to another session");
  requireTokenScope({ sessionToken }, "send");
  if (input.onBusy === "interrupt" || input.onBusy === "rollback") requireTokenScope({ sessionToken }, "cancel");
  const fileIds = input.parts.flatMap((part) => (part.type === "text" ? [] : [part.file_id]));
  const own = await sessionTokens.listFilesOf(db, sessionToken, fileIds);
  const foreign = fileIds.find((id) => !own.has(id));
  if (foreign !== undefined) throw unknownFile(foreign, input);
  const { id, name } = sessionToken.endUser ?? {};
  return {
    ...input,
    metadata: {
      session_token_id: sessionToken.id,
      ...(id === undefined ? {} : { end_user_id: id }),
      ...(name === undefined ? {} : { end_user_name: name }),
    },
  };
}

/** Assigns each file a path in the workspace: a free name under /input. */
async function placeParts(
  control: SendingControl,
  input: SendMessageInput,
  filenames: ReadonlyMap<string, string>,
): Promise<{ parts: unknown[]; attachments: AttachedFile[] }> {
  if (input.parts.every((part) => part.type === "text")) return { parts: [...input.parts], attachments: [] };
  const stems = [...filenames.values()].map((name) => `/input/${leafFilename(name).split(".")[0] ?? ""}`);
  const { pathsOf = input.retryOf } = input;
  const kept =
    pathsOf === undefined ? undefined : await turnDetails.listAttachmentPathsOf(control.db, pathsOf.messageId);
  const taken = await turnDetails.listTakenAttachmentPaths(control.db, input.sessionId, stems);
  const attachments: AttachedFile[] = [];
  const parts = input.parts.map((part, index) => {
    if (part.type === "text") return part;
    const before = pathsOf?.parts[index]?.path ?? "";
    const isKept = kept?.get(before) === part.file_id;
    const path = isKept ? before : freePath(leafFilename(filenames.get(part.file_id) ?? "file"), taken);
    taken.add(path);
    attachments.push({ path, fileId: part.file_id });
    return { ...part, path };
  });
  return { parts, attachments };
}

/** Assigns paths to the files of a new session's first message. */
export function planFirstAttachments(
  given: readonly MessagePartToSend[],
  filenames: ReadonlyMap<string, string>,
): { parts: unknown[]; attachments: AttachedFile[] } {
  const taken = new Set<string>();
  const attachments: AttachedFile[] = [];
  const parts = given.map((part) => {
    if (part.type === "text") return part;
    const path = freePath(leafFilename(filenames.get(part.file_id) ?? "file"), taken);
    taken.add(path);
    attachments.push({ path, fileId: part.file_id });
    return { ...part, path };
  });
  return { parts, attachments };
}

function freePath(name: string, taken: ReadonlySet<string>): string {
  // One of `taken.size + 1` numbers is free.
  for (let n = 1; n <= taken.size; n++) {
    const path = `/input/${numberedFilename(name, n)}`;
    if (!taken.has(path)) return path;
  }
  return `/input/${numberedFilename(name, taken.size + 1)}`;
}

function refusal(accepted: AcceptedMessage, input: SendMessageInput): AppError {
  switch (accepted.outcome) {
    case "not_found":
      return new AppError("not_found", `session ${input.sessionId} not found`);
    case "closed":
      return new AppError(
        "conflict",
        `the session is ${accepted.detail} and accepts no more messages; create or fork a session`,
      );
    case "version_failed":
      return new AppError(
        "conflict",
        "the session's version failed to build and cannot run; create a session on another version",
      );
    case "busy":
      return new AppError(
        "session_busy",
        "the session has messages that are queued or running; retry when they have ended",
      );
    case "unknown_file":
      return unknownFile(accepted.detail, input);
    case "accepted":
    case "input_clash":
      return new AppError("internal", "the message was refused without a reason");
  }
}

function unknownFile(fileId: string | null, input: SendMessageInput): AppError {
  const index = input.parts.findIndex((part) => part.type !== "text" && part.file_id === fileId);
  const issue = { path: `${input.partsField ?? "parts"}[${index}].file_id`, message: "file not found" };
  return new AppError("invalid", `${issue.path}: file ${fileId} not found`, { issues: [issue] });
}

/** Notifies after the commit. It is not awaited, because it only decides how soon the turn starts. */
function notifyAccepted(
  control: SendingControl,
  actor: Pick<Actor, "organizationId">,
  sessionId: string,
  messageId: string,
  accepted: AcceptedMessage,
): void {
  control.notifier.notify("session", sessionId);
  for (const ended of accepted.ended ?? []) control.notifier.notify("message", ended);
  if (accepted.stopping !== null) control.notifier.notify("cancel", accepted.stopping);
  // The worker renews its leases, and learns that the message waits for its turn.
  else if (accepted.steers === true) control.notifier.notify("cancel", messageId);
  if (accepted.schedule === "ready") control.notifier.notify("ready", actor.organizationId);
  if (accepted.schedule !== "dispatched") return;
  void deliverTurns(control, [
    {
      organizationId: actor.organizationId,
      sessionId,
      messageId,
      dispatchNumber: accepted.dispatchNumber,
      attemptsLeft: accepted.maxAttempts,
    },
  ]);
}
