// Uploads a file of this computer, with the content type that its name tells.

import { ApiError, type Client } from "@dari/client";
import type { FileRecord } from "@dari/contract";
import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { invalid } from "./exit.ts";

/** Types that agents and model providers tell apart; everything else is plain bytes. */
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

/** From here on the bytes go straight to the object store, where that is within reach. */
const directBytes = 64 * 1024 * 1024;

export async function uploadPath(client: Client, path: string, signal: AbortSignal): Promise<FileRecord> {
  const content = await openFile(path);
  const contentType = contentTypes[extname(path).toLowerCase()] ?? "application/octet-stream";
  const file = { filename: basename(path), content, contentType };
  const direct = content.size < directBytes ? undefined : await uploadDirectly(client, file, signal);
  return direct ?? client.uploadFile(file, { signal });
}

/** Undefined where the platform has no address of its store for clients. */
async function uploadDirectly(
  client: Client,
  file: { readonly filename: string; readonly content: Blob; readonly contentType: string },
  signal: AbortSignal,
): Promise<FileRecord | undefined> {
  const hash = createHash("sha256");
  for await (const piece of file.content.stream()) hash.update(piece);
  try {
    return await client.uploadFileDirectly({ ...file, sha256: hash.digest("hex") }, { signal });
  } catch (error) {
    if (error instanceof ApiError && error.code === "conflict") return undefined;
    throw error;
  }
}

/** Reads nothing ahead. */
export async function openFile(path: string): Promise<Blob> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) throw invalid(`${path} does not exist`);
  if (!stats.isFile()) throw invalid(`${path} is not a file`);
  return openAsBlob(path);
}
