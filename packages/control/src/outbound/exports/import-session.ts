// Records a received export as a session that continues here.

import type { PortableMessage, SessionRecord } from "@dari/contract";
import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { createAgent } from "@dari/control/publishing";
import { createFile } from "@dari/control/storage";
import { getSession } from "@dari/control/turns";
import { agents, sessionImports, type ImportedMessage } from "@dari/db";
import { AppError, newId, notFound } from "@dari/domain";
import type { ReceivedExport } from "./receive-export.ts";

/**
 * Imports a session in one transaction. Its version is one with the same bundle, otherwise the first version of a new
 * agent: an import never changes what an agent runs.
 * @throws AppError `not_found` for the agent; `conflict` if it has no version with the bundle; `invalid` also for a
 *   manifest that publishing would refuse.
 */
export async function importSession(control: Control, actor: Actor, received: ReceivedExport): Promise<SessionRecord> {
  const id = newId("session");
  try {
    return await inOneTransaction(control, async (inside) => {
      const versionId = await versionFor(inside, actor, received);
      await insertSession(inside, actor, received, { id, versionId });
      await insertConversation(inside, actor, received, id);
      return getSession(inside, actor, id);
    });
  } finally {
    await received.scratch[Symbol.asyncDispose]();
  }
}

async function versionFor(inside: Control, actor: Actor, { bundle, agentId }: ReceivedExport): Promise<string> {
  const { organizationId } = actor;
  const { sha256, objectKey } = bundle;
  const version = await sessionImports.findVersionOfBundle(inside.db, organizationId, { sha256, agentId });
  if (version !== undefined) return version.versionId;
  if (agentId !== undefined) {
    if ((await agents.findAgent(inside.db, organizationId, agentId)) === undefined) throw notFound("agent");
    const way = "deploy that bundle, or import without `agent_id`";
    throw new AppError("conflict", `the agent has no version with the session's bundle; ${way}`);
  }
  if (objectKey === undefined) {
    throw new AppError("conflict", "the version with the session's bundle was deleted during the import; import again");
  }
  await sessionImports.insertReadyBundle(inside.db, { ...bundle, organizationId, objectKey });
  return (await createAgent(inside, actor, { source_snapshot_id: bundle.id })).version_id;
}

async function insertSession(
  inside: Control,
  { organizationId }: Actor,
  { session: exported, snapshot }: ReceivedExport,
  { id, versionId }: { readonly id: string; readonly versionId: string },
): Promise<void> {
  const { name, metadata, on_busy: onBusy, internet_access: internetAccess = null } = exported.session;
  const settings = { name, metadata, onBusy, internetAccess };
  const row = { id, organizationId, versionId, ...settings, importedFrom: exported.session.id, snapshot };
  if (!(await sessionImports.insertSessionIfAgentLive(inside.db, row))) throw notFound("agent");
}

async function insertConversation(
  inside: Control,
  actor: Actor,
  received: ReceivedExport,
  sessionId: string,
): Promise<void> {
  const { conversation, snapshot, inputs } = received;
  const session = { id: sessionId, organizationId: actor.organizationId };
  const ids = conversation.messageIds.map(() => newId("message"));
  const names: Names = {
    messages: new Map(conversation.messageIds.map((id, index) => [id, ids[index] ?? id])),
    files: await insertFiles(inside, actor, received),
  };
  let n = 0;
  for await (const page of conversation.readMessages()) {
    const rows = page.map((message) => importedMessage(message, { n: ++n, isLast: n === ids.length }, names));
    await sessionImports.insertMessages(inside.db, session, snapshot.id, rows);
  }
  const placed = inputs.map(({ path, message, file_id }) => ({
    path,
    message_id: ids[message - 1] ?? "",
    file_id: names.files.get(file_id) ?? file_id,
  }));
  await sessionImports.insertInputs(inside.db, session, placed);
  // The first event is the session's own.
  let events = 1;
  for await (const page of conversation.readLedger()) {
    const rows = page.map(({ message, ...event }) => ({ ...event, n: ++events, message_id: ids[message - 1] ?? "" }));
    await sessionImports.insertEvents(inside.db, session, rows);
  }
  const last = { messages: ids.length, events, messageId: ids.at(-1) ?? null };
  await sessionImports.setSessionCounters(inside.db, session, last);
}

/** Maps ids of the export to new ones. */
interface Names {
  readonly messages: ReadonlyMap<string, string>;
  readonly files: ReadonlyMap<string, string>;
}

async function insertFiles(
  inside: Control,
  actor: Actor,
  { inputs, uploads }: ReceivedExport,
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const { file_id: id, filename, content_type: contentType, upload } of inputs) {
    const stored = uploads[upload - 1];
    if (stored === undefined || files.has(id)) continue;
    files.set(id, (await createFile(inside, actor, stored, { filename, contentType })).id);
  }
  return files;
}

function importedMessage(
  message: PortableMessage,
  { n, isLast }: { readonly n: number; readonly isLast: boolean },
  { messages, files }: Names,
): ImportedMessage {
  const { id, status, at_head, retry_of, interrupted_by, delivered_in, parts, ...same } = message;
  const nameOf = (other: string | undefined): string | null =>
    other === undefined ? null : (messages.get(other) ?? other);
  return {
    ...same,
    id: messages.get(id) ?? id,
    n,
    state: status,
    parts: parts.map((part) =>
      part.type === "text" ? part : { ...part, file_id: files.get(part.file_id) ?? part.file_id },
    ),
    retry_of: nameOf(retry_of),
    interrupted_by: nameOf(interrupted_by),
    steered_into: nameOf(delivered_in),
    copied_from: id,
    lacks_workspace: !at_head && !isLast,
  };
}
