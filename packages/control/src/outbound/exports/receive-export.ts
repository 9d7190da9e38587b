// Receives an exported session: checks all of it and stores its bytes, but records nothing yet.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { inspectBundle } from "@dari/bundles";
import { PortableInput, PortableSession } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { bundleKey } from "@dari/control/publishing";
import {
  ArchiveRefusedError,
  discardUpload,
  toWorkspaceLimitError,
  readTar,
  storeSnapshot,
  storeUpload,
  uploadFolder,
  getWorkspaceLimits,
  type StoredUpload,
  type TarEntry,
} from "@dari/control/storage";
import { sessionImports, type TurnSnapshot } from "@dari/db";
import { AppError, leafFilename, limits, newId } from "@dari/domain";
import { emptyTree, treeHash } from "@dari/workspace";
import { writeHashed, type Scratch } from "@dari/runtime";
import { bundleEntry, inputsEntry, ledgerEntry, messagesEntry, sessionEntry, uploadEntry } from "./entry-names.ts";
import { ConversationReceiver } from "./read-conversation.ts";
import { parseValue, readLines, readText } from "./read-lines.ts";
import { WorkspaceReceiver } from "./read-workspace.ts";

export interface ReceivedBundle {
  readonly id: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly manifestText: string;
  /** Undefined if a version with this bundle exists, so it was not stored. */
  readonly objectKey: string | undefined;
}

export interface ReceivedExport {
  /** Hash of the whole export. */
  readonly sha256: string;
  /** The agent whose version the session uses (default: one that has a version of this bundle). */
  readonly agentId: string | undefined;
  readonly session: PortableSession;
  readonly bundle: ReceivedBundle;
  readonly conversation: ConversationReceiver;
  readonly inputs: readonly PortableInput[];
  /** In the order of their numbers. */
  readonly uploads: readonly StoredUpload[];
  readonly snapshot: TurnSnapshot;
  /** Holds the conversation until it is recorded. */
  readonly scratch: Scratch;
}

export interface ExportUpload {
  readonly body: AsyncIterable<Uint8Array>;
  readonly agentId: string | undefined;
  readonly maxBytes: number;
}

/**
 * Has no effect before `importSession`. `discardExport` deletes the stored bytes.
 * @throws AppError `invalid` for what is not an export, is damaged or is malicious; `too_large`; `limit_exceeded` or
 *   `unavailable` if there is no disk space.
 */
export async function receiveExport(control: Control, actor: Actor, upload: ExportUpload): Promise<ReceivedExport> {
  const scratch = await control.scratch.open("import", actor.organizationId);
  const stored: Stored = { uploads: [], bundleKey: undefined };
  const hash = createHash("sha256");
  try {
    const source = Readable.from(measured(upload, hash));
    const received = await pipeline(source, createGunzip(), (bytes: AsyncIterable<Uint8Array>) =>
      read({ control, actor, scratch, stored, agentId: upload.agentId }, new Entries(bytes)),
    );
    return { ...received, sha256: hash.digest("hex") };
  } catch (error) {
    await removeStored(control, scratch, stored);
    throw asRefusal(error);
  }
}

/** Deletes what was received and not imported. The sweep deletes the snapshot's object, which is recorded. */
export async function discardExport(control: Control, received: ReceivedExport): Promise<void> {
  const { scratch, uploads, bundle } = received;
  await removeStored(control, scratch, { uploads: [...uploads], bundleKey: bundle.objectKey });
}

interface Stored {
  readonly uploads: StoredUpload[];
  bundleKey: string | undefined;
}

async function removeStored(control: Control, scratch: Scratch, stored: Stored): Promise<void> {
  await scratch[Symbol.asyncDispose]();
  for (const upload of stored.uploads) await discardUpload(control, upload);
  if (stored.bundleKey !== undefined) await control.blobs.delete([stored.bundleKey]);
}

interface Receiving {
  readonly control: Control;
  readonly actor: Actor;
  readonly scratch: Scratch;
  readonly stored: Stored;
  readonly agentId: string | undefined;
}

async function read(receiving: Receiving, entries: Entries): Promise<Omit<ReceivedExport, "sha256">> {
  const { control, actor, scratch, stored, agentId } = receiving;
  const { dir } = scratch;
  const first = await entries.expect(sessionEntry);
  const session = parseValue<PortableSession>(await readText(first), PortableSession, sessionEntry);
  const bundle = await takeBundle(receiving, session, await entries.expect(bundleEntry));
  const conversation = new ConversationReceiver(dir);
  for (let page = 1, next; (next = await entries.takeIf(messagesEntry(page))) !== undefined; page++) {
    scratch.take(next.sizeBytes);
    await conversation.takeMessages(next);
  }
  const inputs = await takeInputs(await entries.expect(inputsEntry), conversation);
  await takeUploads(receiving, inputs, entries);
  for (let page = 1, next; (next = await entries.takeIf(ledgerEntry(page))) !== undefined; page++) {
    scratch.take(next.sizeBytes);
    await conversation.takeLedger(next);
  }
  conversation.end();
  const root = join(dir, "tree");
  const received = new WorkspaceReceiver(root, await getWorkspaceLimits(control.db, actor.organizationId));
  for (let next; (next = await entries.takeIfAny()) !== undefined;) {
    scratch.take(next.sizeBytes);
    await received.take(next);
  }
  const after = received.end();
  if (treeHash(after) !== session.workspace.tree_hash) {
    throw new ArchiveRefusedError("the workspace does not match the checksum in session.json");
  }
  await mkdir(root, { recursive: true });
  const change = { dir: root, before: emptyTree, after, full: true };
  const { objectKey, sizeBytes, files, totalBytes, ...saved } = await storeSnapshot(
    control,
    actor.organizationId,
    change,
  );
  await rm(root, { recursive: true, force: true });
  const kept = { objectKey, sizeBytes, files, totalBytes, treeHash: saved.treeHash };
  const snapshot = { id: newId("snapshot"), parentId: null, isFull: true, deltaDepth: 0, ...kept };
  return { agentId, session, bundle, conversation, inputs, uploads: stored.uploads, snapshot, scratch };
}

/** Stores the bundle if no version uses it yet. @throws ArchiveRefusedError if publishing would refuse it. */
async function takeBundle(
  { control, actor, scratch, stored, agentId }: Receiving,
  { version }: PortableSession,
  entry: TarEntry,
): Promise<ReceivedBundle> {
  const { bundle_sha256: sha256, bundle_size_bytes: sizeBytes } = version;
  if (entry.sizeBytes !== sizeBytes)
    throw new ArchiveRefusedError(`${entry.path} does not have the size that session.json gives`);
  if (sizeBytes > limits.bundleBytes)
    throw new AppError("too_large", `the bundle exceeds the limit of ${limits.bundleBytes} bytes`);
  scratch.take(sizeBytes);
  const file = join(scratch.dir, "bundle.tar.gz");
  const written = await writeHashed(entry.content, file);
  if (written.sha256 !== sha256)
    throw new ArchiveRefusedError(`${entry.path} does not have the checksum that session.json gives`);
  const inspection = await inspectBundle({ file });
  if (!inspection.ok) throw new ArchiveRefusedError(`${entry.path}: ${inspection.reason}`);
  const { organizationId } = actor;
  const id = newId("sourceSnapshot");
  if ((await sessionImports.findVersionOfBundle(control.db, organizationId, { sha256, agentId })) === undefined) {
    stored.bundleKey = bundleKey(organizationId, id, "imported");
    await control.blobs.put(stored.bundleKey, createReadStream(file));
  }
  await rm(file);
  return { id, sha256, sizeBytes, manifestText: inspection.manifest, objectKey: stored.bundleKey };
}

async function takeInputs(entry: TarEntry, conversation: ConversationReceiver): Promise<PortableInput[]> {
  const inputs: PortableInput[] = [];
  const messages = conversation.messageIds.length;
  const paths = new Set<string>();
  const files: string[] = [];
  for await (const { value, at } of readLines<PortableInput>(entry, PortableInput)) {
    const refuse = (why: string): ArchiveRefusedError => new ArchiveRefusedError(`${at}: ${why}`);
    if (inputs.length >= limits.exportUploads) throw refuse(`more than ${limits.exportUploads} uploaded files`);
    if (value.message > messages) throw refuse(`message: there is no message ${value.message}`);
    if (conversation.isDelivered(value.message)) {
      throw refuse(`message: message ${value.message} was delivered in a turn, and can have no files`);
    }
    if (value.path !== `${uploadFolder}/${leafFilename(value.path)}`) {
      throw refuse(`path: expected a file in ${uploadFolder}`);
    }
    if (paths.has(value.path)) throw refuse("path: duplicate path");
    if (value.upload > files.length + 1) throw refuse(`upload: expected at most ${files.length + 1}`);
    if ((files[value.upload - 1] ??= value.file_id) !== value.file_id)
      throw refuse("file_id: expected the same file_id for one upload");
    paths.add(value.path);
    inputs.push(value);
  }
  return inputs;
}

async function takeUploads(
  { control, actor, stored }: Receiving,
  inputs: readonly PortableInput[],
  entries: Entries,
): Promise<void> {
  let bytes = 0;
  for (const input of inputs) {
    if (input.upload <= stored.uploads.length) continue;
    const entry = await entries.expect(uploadEntry(input.upload));
    bytes += entry.sizeBytes;
    if (bytes > limits.exportUploadBytes) {
      throw new AppError(
        "too_large",
        `the export exceeds the limit of ${limits.exportUploadBytes} bytes of uploaded files`,
      );
    }
    const upload = await storeUpload(control, actor, entry.content);
    stored.uploads.push(upload);
    if (upload.sha256 !== input.sha256 || upload.sizeBytes !== input.size_bytes) {
      throw new ArchiveRefusedError(`${entry.path} does not match its size or checksum in ${inputsEntry}`);
    }
  }
}

/** Reads archive entries one by one; the caller gives the name that the next one must have. */
class Entries {
  readonly #source: AsyncGenerator<TarEntry>;
  #next: TarEntry | undefined;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#source = readTar(bytes);
  }

  async expect(path: string): Promise<TarEntry> {
    const entry = await this.takeIf(path);
    if (entry !== undefined) return entry;
    throw new ArchiveRefusedError(
      `expected ${path}${this.#next === undefined ? "" : `, found ${quoted(this.#next.path)}`}`,
    );
  }

  async takeIf(path: string): Promise<TarEntry | undefined> {
    this.#next ??= await this.takeIfAny();
    return this.#next?.path === path ? this.takeIfAny() : undefined;
  }

  async takeIfAny(): Promise<TarEntry | undefined> {
    const next = this.#next;
    this.#next = undefined;
    if (next !== undefined) return next;
    const result = await this.#source.next();
    return result.done === true ? undefined : result.value;
  }
}

function quoted(path: string): string {
  return JSON.stringify(path.slice(0, 100));
}

async function* measured(
  { body, maxBytes }: ExportUpload,
  hash: { update(piece: Uint8Array): unknown },
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.byteLength;
    if (bytes > maxBytes) throw new AppError("too_large", `the export exceeds the limit of ${maxBytes} bytes`);
    hash.update(piece);
    yield piece;
  }
}

/** Damaged compression is the sender's error too. */
function asRefusal(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  const isDamaged = typeof code === "string" && code.startsWith("Z_");
  if (!isDamaged && !(error instanceof ArchiveRefusedError)) return toWorkspaceLimitError(error);
  const reason = isDamaged ? "it is damaged or not a gzip archive" : (error as Error).message;
  const message = `the file is not a complete export of a session: ${reason}`.toWellFormed().replaceAll("\0", "\u2400");
  return new AppError("invalid", message, { issues: [{ path: "body", message }], cause: error });
}
