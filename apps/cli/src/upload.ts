// Uploads a file of this computer, with the content type that its name tells.

import type { Client } from "@dari/client";
import type { FileRecord } from "@dari/contract";
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

export async function uploadPath(client: Client, path: string, signal: AbortSignal): Promise<FileRecord> {
  const content = await openFile(path);
  const contentType = contentTypes[extname(path).toLowerCase()] ?? "application/octet-stream";
  return client.uploadFile({ filename: basename(path), content, contentType }, { signal });
}

/** Reads nothing ahead. */
export async function openFile(path: string): Promise<Blob> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) throw invalid(`${path} does not exist`);
  if (!stats.isFile()) throw invalid(`${path} is not a file`);
  return openAsBlob(path);
}
