// Reads an uploaded file: its record, or its bytes.

import type { Readable } from "node:stream";
import type { BlobRange } from "@dari/blobs";
import type { FileRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { files } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderFile } from "../views/file.ts";

/** @throws AppError `not_found` */
export async function getFile(control: Control, actor: Actor, fileId: string): Promise<FileRecord> {
  return renderFile(requireFound(await files.findFile(control.db, actor.organizationId, fileId), "file"));
}

export interface OpenedContent {
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  /** Hash of the whole content, in lower-case hex. */
  readonly sha256: string;
  /** Set if the session's head is damaged: the older snapshot that is read instead. */
  readonly restoredFrom?: string | undefined;
  open(range?: BlobRange): Promise<Readable>;
}

/** Reads nothing until `open` is called. @throws AppError `not_found` */
export async function getFileContent(control: Control, actor: Actor, fileId: string): Promise<OpenedContent> {
  const row = requireFound(await files.findFile(control.db, actor.organizationId, fileId), "file");
  const { filename, contentType, sizeBytes, sha256 } = row;
  return { filename, contentType, sizeBytes, sha256, open: (range) => control.blobs.get(row.objectKey, range) };
}
