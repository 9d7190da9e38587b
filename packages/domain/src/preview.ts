// Previews as text, for transports that carry text.

import { limits } from "./limits.ts";
import type { Preview } from "./ports.ts";

const types: ReadonlySet<string> = new Set([
  "assistant.text_delta",
  "reasoning.delta",
  "tool.arguments_delta",
  "log",
] satisfies readonly Preview["type"][]);

/** Returns undefined if the text exceeds the limit of a preview. */
export function encodePreview(preview: Preview): string | undefined {
  const text = JSON.stringify(preview);
  // One UTF-16 unit takes at most three bytes.
  const fits = text.length * 3 <= limits.previewBytes || new TextEncoder().encode(text).length <= limits.previewBytes;
  return fits ? text : undefined;
}

/** Returns undefined for a text that is not a preview. */
export function decodePreview(text: string): Preview | undefined {
  try {
    const value = JSON.parse(text) as Partial<Preview> | null;
    if (typeof value !== "object" || value === null || !types.has(value.type ?? "")) return undefined;
    const { messageId, attemptId, data } = value;
    const isWhole = typeof messageId === "string" && typeof attemptId === "string" && typeof data === "object";
    return isWhole && data !== null ? (value as Preview) : undefined;
  } catch {
    return undefined;
  }
}
