// Reads the files and images of a message for a model.

import { readFile, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { TurnError } from "../errors.mjs";

/** Maximum size of a message's attachments before base64: what providers accept in one request. */
const attachedBytesMax = 32 * 1024 * 1024;

const mediaTypes = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".pdf": "application/pdf",
  ".json": "application/json",
  ".csv": "text/csv",
  ".html": "text/html",
  ".md": "text/markdown",
  ".txt": "text/plain",
};

/**
 * Returns the parts as `{type: "text", text}` and `{type: "image" | "file", path, filename, mediaType, bytes}`. A file
 * of an earlier message that is no longer in the workspace becomes a text that says so. Throws `agent_error` above the
 * limit.
 */
export async function readParts(parts, workspace) {
  let left = attachedBytesMax;
  const read = [];
  for (const part of parts) {
    if (part.type === "text") {
      read.push({ type: "text", text: part.text });
      continue;
    }
    const path = part.local_path ?? `${workspace}${part.path}`;
    const size = (await stat(path).catch(() => undefined))?.size;
    if (size === undefined) {
      read.push({ type: "text", text: `[the file ${part.path} is no longer there]` });
      continue;
    }
    left -= size;
    if (left < 0) throw tooLarge(part.path);
    read.push({ type: part.type, ...describeFile(path, part.type), bytes: await readFile(path) });
  }
  return read;
}

function describeFile(path, type) {
  const fallback = type === "image" ? "image/png" : "application/octet-stream";
  return { path, filename: basename(path), mediaType: mediaTypes[extname(path).toLowerCase()] ?? fallback };
}

function tooLarge(path) {
  const limit = `a message's files can have at most ${attachedBytesMax} bytes together to be shown to a model`;
  return new TurnError("agent_error", `${path}: ${limit}; an agent that is a function reads larger ones itself`);
}

export const dataUrl = ({ mediaType, bytes }) => `data:${mediaType};base64,${bytes.toString("base64")}`;
