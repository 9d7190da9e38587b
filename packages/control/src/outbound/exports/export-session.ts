// Exports a session as one file for another installation: conversation, workspace, and its version's bundle.

import {
  portableFormat,
  portableFormatVersion,
  eventsWithoutPayload,
  eventsWithPayload,
  type PortableEvent,
  type PortableInput,
  type PortableMessage,
  type PortableSession,
} from "@dari/contract";
import type { Actor, Control, LoadedTree } from "@dari/control/context";
import { cacheReads, writeTar, type ArchiveEntry } from "@dari/control/storage";
import { events, sessionExports, type ExportedInput, type ExportedMessage, type ExportRow } from "@dari/db";
import { AppError, requireFound, limits } from "@dari/domain";
import { readFile, treeHash, type TreeEntry } from "@dari/workspace";
import { bundleEntry, inputsEntry, ledgerEntry, messagesEntry, sessionEntry, uploadEntry } from "./entry-names.ts";

interface Export {
  readonly control: Control;
  readonly organizationId: string;
  readonly row: ExportRow;
  readonly inputs: readonly ExportedInput[];
  readonly workspace: LoadedTree;
  /** Numbers of exported messages by id, filled while they are written. */
  readonly numbers: Map<string, number>;
  /** By id of a message that steered a turn: the number of the event that says so. */
  readonly steered: Map<string, number | null>;
}

/**
 * Returns an uncompressed tar, produced while it is read. The same session gives the same bytes. Contains no unfinished
 * messages and no secrets, but the session's hidden state, which SDKs use.
 * @throws AppError `not_found`, `too_large`, before the first piece.
 */
export async function exportSession(
  control: Control,
  actor: Actor,
  sessionId: string,
): Promise<AsyncIterable<Uint8Array>> {
  const { organizationId } = actor;
  const row = requireFound(await sessionExports.findExport(control.db, organizationId, sessionId), "session");
  const inputs = await sessionExports.listInputs(control.db, row, limits.exportUploads + 1);
  if (inputs.length > limits.exportUploads) {
    throw new AppError(
      "too_large",
      `the session exceeds the limit of ${limits.exportUploads} uploaded files per export`,
    );
  }
  const workspace = await control.trees.load(organizationId, row.headSnapshotId);
  return writeTar(
    entriesOf({ control, organizationId, row, inputs, workspace, numbers: new Map(), steered: new Map() }),
  );
}

async function* entriesOf(exported: Export): AsyncGenerator<ArchiveEntry> {
  const { control, row, inputs, workspace } = exported;
  yield bytesEntry(sessionEntry, `${JSON.stringify(sessionOf(exported), null, 2)}\n`);
  yield blobEntry(control, bundleEntry, { objectKey: row.bundleKey, sizeBytes: row.bundleSizeBytes });
  yield* messageEntries(exported);
  const uploads = numberUploads(inputs);
  yield linesEntry(inputsEntry, inputLines(exported, uploads));
  for (const [index, upload] of uploads.entries()) yield blobEntry(control, uploadEntry(index + 1), upload);
  yield* ledgerEntries(exported);
  const store = cacheReads(control.blobs);
  for (const entry of workspace.tree.values()) yield treeEntry(entry, () => readFile(store, entry));
}

function sessionOf({ row, workspace }: Export): PortableSession {
  return {
    format: portableFormat,
    format_version: portableFormatVersion,
    session: {
      id: row.id,
      name: row.name,
      // Stored in the contract's form by the operations that create sessions.
      metadata: row.metadata as PortableSession["session"]["metadata"],
      on_busy: row.onBusy as PortableSession["session"]["on_busy"],
      ...(row.internetAccess === null ? {} : { internet_access: row.internetAccess }),
      created_at: row.createdAt.toISOString(),
    },
    version: {
      id: row.versionId,
      number: row.versionNumber,
      bundle_sha256: row.bundleSha256,
      bundle_size_bytes: row.bundleSizeBytes,
    },
    workspace: { tree_hash: treeHash(workspace.tree) },
  };
}

async function* messageEntries({ control, row, numbers, steered }: Export): AsyncGenerator<ArchiveEntry> {
  for (let page = 1, after = 0; ; page++) {
    const { rows, more } = await sessionExports.listMessages(control.db, row, after);
    for (const { id, steeredInto, steeredEvent } of rows) {
      numbers.set(id, numbers.size + 1);
      if (steeredInto !== null) steered.set(id, steeredEvent);
    }
    if (rows.length > 0) yield linesEntry(messagesEntry(page), rows.map(portableMessage));
    if (!more) return;
    after = rows.at(-1)?.sequenceNumber ?? row.through;
  }
}

function portableMessage(row: ExportedMessage): PortableMessage {
  return {
    id: row.id,
    status: row.state as PortableMessage["status"],
    parts: row.parts as PortableMessage["parts"],
    metadata: row.metadata as PortableMessage["metadata"],
    output: row.output as PortableMessage["output"],
    files_changed: row.filesChanged as PortableMessage["files_changed"],
    attempts: row.attempts,
    max_attempts: row.maxAttempts,
    timings: row.timings as PortableMessage["timings"],
    created_at: row.createdAt.toISOString(),
    started_at: row.startedAt?.toISOString() ?? null,
    completed_at: row.completedAt.toISOString(),
    ...(row.retryOf === null ? {} : { retry_of: row.retryOf }),
    ...(row.interruptedBy === null ? {} : { interrupted_by: row.interruptedBy }),
    ...(row.steeredInto === null ? {} : { delivered_in: row.steeredInto }),
    at_head: row.isAtHead,
  };
}

/** Numbers each uploaded file once. The inputs are sorted by id. */
function numberUploads(inputs: readonly ExportedInput[]): ExportedInput[] {
  return inputs.filter((input, index) => input.fileId !== inputs[index - 1]?.fileId);
}

function inputLines({ inputs, numbers }: Export, uploads: readonly ExportedInput[]): PortableInput[] {
  const uploadNumbers = new Map(uploads.map(({ fileId }, index) => [fileId, index + 1]));
  return inputs.flatMap(({ messageId, path, fileId, filename, contentType, sizeBytes, sha256 }) => {
    const [message, upload] = [numbers.get(messageId), uploadNumbers.get(fileId)];
    // A message that was just rolled back is not exported.
    if (message === undefined || upload === undefined) return [];
    return {
      message,
      path,
      upload,
      file_id: fileId,
      filename,
      content_type: contentType,
      size_bytes: sizeBytes,
      sha256,
    };
  });
}

async function* ledgerEntries(exported: Export): AsyncGenerator<ArchiveEntry> {
  const { control, organizationId, row, numbers, steered } = exported;
  const types = [...eventsWithoutPayload, ...eventsWithPayload];
  const repeated = await sessionExports.listRepeatedAttempts(control.db, organizationId, row.id);
  for (let page = 1, after = 0; ;) {
    const from = { organizationId, sessionId: row.id, afterSequenceNumber: after };
    const found = await events.listEvents(control.db, { ...from, limit: limits.listLimitMax, types });
    const lines = found.rows.flatMap((event): PortableEvent[] => {
      const message = numbers.get(event.messageId ?? "");
      if (message === undefined) return [];
      const isOld =
        event.type === "message.steered"
          ? steered.get(event.messageId ?? "") !== event.sequenceNumber
          : event.type !== "input.requested" && repeated.has(event.attemptId ?? "");
      if (isOld) return [];
      const type = event.type as PortableEvent["type"];
      const head = { type, message, created_at: event.createdAt.toISOString() };
      const isTale = eventsWithPayload.some((tale) => tale === type);
      const attempt = event.attemptId === null ? {} : { attempt_id: event.attemptId };
      return [isTale ? { ...head, ...attempt, data: event.data as Record<string, unknown> } : head];
    });
    if (lines.length > 0) yield linesEntry(ledgerEntry(page++), lines);
    if (!found.more) return;
    after = found.rows.at(-1)?.sequenceNumber ?? after;
  }
}

function linesEntry(path: string, lines: readonly object[]): ArchiveEntry {
  return bytesEntry(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

function bytesEntry(path: string, text: string): ArchiveEntry {
  const bytes = Buffer.from(text);
  return { ...plainFile, path, sizeBytes: bytes.length, open: async () => once(bytes) };
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function blobEntry(
  control: Control,
  path: string,
  blob: { readonly objectKey: string; readonly sizeBytes: number },
): ArchiveEntry {
  return { ...plainFile, path, sizeBytes: blob.sizeBytes, open: () => control.blobs.get(blob.objectKey) };
}

function treeEntry({ path, type, mode, sizeBytes, target = "" }: TreeEntry, open: ArchiveEntry["open"]): ArchiveEntry {
  return { path, type, mode, sizeBytes: type === "file" ? sizeBytes : 0, target, open };
}

const plainFile = { type: "file", mode: 0o644, target: "" } as const;
