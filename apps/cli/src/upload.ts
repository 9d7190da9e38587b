// Uploads a local file with a content type chosen by its name.

import { ApiError, type Client } from "@dari/client";
import type { FileRecord } from "@dari/contract";
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { invalid } from "./exit.ts";

/** Types that agents and model providers distinguish. Everything else is plain bytes. */
const contentTypes: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".gif": "image/gif",
  ".html": "text/html",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".json": "application/json",
  ".md": "text/markdown",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".txt": "text/plain",
  ".webp": "image/webp",
};

/** Above this size, bytes go directly to the object store if clients can reach it. */
const directBytes = 64 * 1024 * 1024;

export async function uploadPath(client: Client, path: string, signal: AbortSignal): Promise<FileRecord> {
  const content = await openFile(path);
  const contentType = contentTypes[extname(path).toLowerCase()] ?? "application/octet-stream";
  const file = { filename: basename(path), content, contentType };
  const direct = content.size < directBytes ? undefined : await uploadDirectly(client, file, signal);
  return direct ?? client.uploadFile(file, { signal });
}

/** Returns undefined if clients cannot reach the platform's object store. */
async function uploadDirectly(
  client: Client,
  file: { readonly filename: string; readonly content: Blob; readonly contentType: string },
  signal: AbortSignal,
): Promise<FileRecord | undefined> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  for await (const piece of file.content.stream()) hash.update(piece);
  try {
    return await client.uploadFileDirectly({ ...file, sha256: hash.digest("hex") }, { signal });
  } catch (error) {
    if (error instanceof ApiError && error.code === "conflict") return undefined;
    throw error;
  }
}

/** Reads nothing in advance. */
export async function openFile(path: string): Promise<Blob> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) throw invalid(`${path} does not exist`);
  if (!stats.isFile()) throw invalid(`${path} is not a file`);
  return openAsBlob(path);
}
