// Renders what a turn changed: one patch per text file, within limits.

import { buffer } from "node:stream/consumers";
import type { BlobStore } from "@dari/blobs";
import type { Actor, Control } from "@dari/control/context";
import { createSecretScrubber } from "@dari/control/tenants";
import { sideSnapshots, type SentAttachment } from "@dari/db";
import { AppError, requireFound, limits, type Scrubber } from "@dari/domain";
import { diff, readFile, treePathOf, type Tree, type TreeEntry } from "@dari/workspace";
import { renderPatchNote, renderPatch, type PatchSide } from "./render-patch.ts";
import { listClientChanges, type FileChange } from "../workspaces/list-client-changes.ts";
import { cacheReads } from "../workspaces/cache-reads.ts";

/** The two trees, and where their contents are read. */
interface Comparison {
  readonly store: BlobStore;
  readonly before: Tree;
  readonly after: Tree;
  /** Uploads placed before the turn, by path. The turn started with them. */
  readonly attachments: ReadonlyMap<string, SentAttachment>;
  /** Applied to whole texts, because a secret can have several lines. */
  readonly scrubber: Scrubber;
}

type Side = { readonly side: PatchSide | undefined } | { readonly note: string };

const inputMode = 0o644;

/**
 * Returns the patch in pieces, in the order of the paths. For a turn that did not complete: the changes of its last
 * attempt. Empty until the turn has ended. Binary files and files above `limits.diffFileBytes` are only named. After
 * `limits.diffBytes`, only the number of further files follows.
 * @throws AppError `not_found`, also for an imported message; before the first piece.
 */
export async function diffMessage(control: Control, actor: Actor, messageId: string): Promise<AsyncIterable<string>> {
  const { organizationId } = actor;
  const message = requireFound(
    await sideSnapshots.findMessageSnapshot(control.db, organizationId, messageId),
    "message",
  );
  if (message.isImported) {
    throw new AppError(
      "not_found",
      "the message was imported without the files of its turn; `files_changed` lists their paths",
    );
  }
  if (message.snapshotId === null) return noPieces();
  const snapshot = requireFound(
    await sideSnapshots.findSnapshot(control.db, organizationId, message.snapshotId),
    "snapshot of the message",
  );
  const before = (await control.trees.load(organizationId, snapshot.parentId)).tree;
  const after = (await control.trees.load(organizationId, snapshot.id)).tree;
  const changes = listClientChanges(diff(before, after));
  const created = changes.filter(({ change }) => change === "created").map(({ path }) => path);
  const placed = await sideSnapshots.listSentAttachments(control.db, organizationId, message.sessionId, created);
  const attachments = new Map(placed.map((input) => [input.path, input]));
  const scrubber = await createSecretScrubber(control, organizationId, message.sessionId);
  const listed = new Set((message.filesChanged as readonly FileChange[]).map(({ path }) => path));
  // An upload under another name is in the tree, but the turn did not change it.
  const shown = listed.size === 0 ? changes : changes.filter(({ path }) => listed.has(scrubber.text(path)));
  const paths = shown.map(({ path }) => path);
  return renderAll({ store: cacheReads(control.blobs), before, after, attachments, scrubber }, paths);
}

async function* noPieces(): AsyncGenerator<string> {}

async function* renderAll(comparison: Comparison, paths: readonly string[]): AsyncGenerator<string> {
  let bytes = 0;
  for (const [index, path] of paths.entries()) {
    const piece = await renderFile(comparison, path);
    bytes += Buffer.byteLength(piece);
    if (bytes > limits.diffBytes && index > 0) {
      yield `${paths.length - index} more files differ; they would make this more than ${limits.diffBytes} bytes\n`;
      return;
    }
    yield piece;
  }
}

async function renderFile(comparison: Comparison, path: string): Promise<string> {
  const { store, before, after, attachments, scrubber } = comparison;
  const place = treePathOf(path);
  const [was, is] = [before.get(place), after.get(place)];
  const input = was === undefined ? attachments.get(path) : undefined;
  if (input !== undefined && is?.sha256 === input.sha256 && is.mode === inputMode) return "";
  const old = input === undefined ? await readSide(store, was) : await readAttachment(store, input);
  const now = await readSide(store, is);
  const name = scrubber.text(path.slice(1));
  if ("note" in old) return renderPatchNote(name, old.note);
  return "note" in now
    ? renderPatchNote(name, now.note)
    : renderPatch(name, scrubSide(scrubber, old.side), scrubSide(scrubber, now.side));
}

function scrubSide(scrubber: Scrubber, side: PatchSide | undefined): PatchSide | undefined {
  return side === undefined ? undefined : { ...side, text: scrubber.text(side.text) };
}

async function readSide(store: BlobStore, entry: TreeEntry | undefined): Promise<Side> {
  if (entry === undefined || entry.type === "directory") return { side: undefined };
  const { type, mode, sizeBytes, target } = entry;
  if (type === "symlink") return { side: { type, mode, text: target ?? "" } };
  if (sizeBytes > limits.diffFileBytes) return tooLarge;
  return asText(await buffer(await readFile(store, entry)), mode);
}

async function readAttachment(store: BlobStore, input: SentAttachment): Promise<Side> {
  if (input.sizeBytes > limits.diffFileBytes) return tooLarge;
  return asText(await store.read(input.objectKey), inputMode);
}

const tooLarge: Side = { note: "Large files" };
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function asText(bytes: Buffer, mode: number): Side {
  if (bytes.includes(0)) return { note: "Binary files" };
  try {
    return { side: { type: "file", mode, text: utf8.decode(bytes) } };
  } catch {
    return { note: "Binary files" };
  }
}
