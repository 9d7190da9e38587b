// Uploads the files that a line of a chat names.

import type { Client } from "@dari/client";
import type { MessagePartInput } from "@dari/contract";
import { stat } from "node:fs/promises";
import { uploadPath } from "../upload.ts";
import { pathCandidates } from "./parse-line.ts";

export interface Attached {
  readonly parts: readonly MessagePartInput[];
  /** Paths that are no files here. They stay text. */
  readonly missing: readonly string[];
}

export async function attachFiles(api: Client, paths: readonly string[], signal: AbortSignal): Promise<Attached> {
  const parts: MessagePartInput[] = [];
  const missing: string[] = [];
  for (const path of paths) {
    const file = await findFile(path);
    if (file === undefined) missing.push(path);
    else parts.push(partOf(await uploadPath(api, file, signal)));
  }
  return { parts, missing };
}

async function findFile(path: string): Promise<string | undefined> {
  for (const candidate of pathCandidates(path)) {
    const stats = await stat(candidate).catch(() => undefined);
    if (stats?.isFile()) return candidate;
  }
  return undefined;
}

function partOf({ id, content_type }: { readonly id: string; readonly content_type: string }): MessagePartInput {
  return { type: content_type.startsWith("image/") ? "image" : "file", file_id: id };
}
