// Reads the parts of a result. The guest sends what the agent returned; this file decides what clients see.

import { AppError, failure, limits, normalizeWorkspacePath, type Failure } from "@dari/domain";

/** A part of a completed message. A file's path is absolute, rooted at the workspace: `/output/report.pdf`. */
export type OutputPart =
  { readonly type: "text"; readonly text: string } | { readonly type: "file"; readonly path: string };

export type ReadPartsResult =
  { readonly ok: true; readonly parts: OutputPart[] } | { readonly ok: false; readonly failure: Failure };

/**
 * @param workspace the workspace as the agent sees it; file paths can be relative to it, begin with it, or be rooted at
 *   it. The caller must check whether a file exists.
 */
export function readParts(value: unknown, workspace: string): ReadPartsResult {
  if (!Array.isArray(value)) return invalid("parts: expected a list");
  if (value.length > limits.outputPartsMax) return tooLarge(`more than ${limits.outputPartsMax} parts`);
  const parts: OutputPart[] = [];
  let bytes = 0;
  for (const [index, item] of value.entries()) {
    const part = readPart(item, workspace);
    if (typeof part === "string") return invalid(`parts[${index}]${part}`);
    bytes += Buffer.byteLength(part.type === "text" ? part.text : part.path);
    parts.push(part);
  }
  if (bytes > limits.outputBytes) return tooLarge(`more than ${limits.outputBytes} bytes`);
  return { ok: true, parts };
}

/** Returns the part, or what is wrong with it. */
function readPart(item: unknown, workspace: string): OutputPart | string {
  if (typeof item !== "object" || item === null) return ": expected an object";
  const { type, text, path } = item as Record<string, unknown>;
  if (type === "text") {
    return typeof text === "string" ? { type, text: text.toWellFormed() } : ".text: expected a string";
  }
  if (type !== "file") return '.type: expected "text" or "file"';
  if (typeof path !== "string" || path === "") return ".path: expected a non-empty string";
  const client = clientPath(path.toWellFormed(), workspace);
  return client === undefined ? ".path: expected a path inside the workspace" : { type, path: client };
}

function clientPath(path: string, workspace: string): string | undefined {
  const isBelow = path === workspace || path.startsWith(`${workspace}/`);
  try {
    // Like the alias, the prefix is removed once: the workspace can contain a folder of that name.
    const normal = normalizeWorkspacePath(isBelow ? `/workspace${path.slice(workspace.length)}` : path);
    return normal === "/" ? undefined : normal;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

function invalid(message: string): ReadPartsResult {
  return { ok: false, failure: failure("invalid_output", `the agent's result is invalid: ${message}`) };
}

function tooLarge(what: string): ReadPartsResult {
  return { ok: false, failure: failure("output_too_large", `the agent's result has ${what}`) };
}
