// Previews as text, for transports that carry text.

import { limits } from "./limits.ts";
import type { Preview } from "./ports.ts";

const types: readonly string[] = ["assistant.text_delta", "log"] satisfies readonly Preview["type"][];

/** Undefined when it is larger than a preview may be. */
export function encodePreview(preview: Preview): string | undefined {
  const text = JSON.stringify(preview);
  // Three bytes are the most that one UTF-16 unit takes.
  const fits = text.length * 3 <= limits.previewBytes || new TextEncoder().encode(text).length <= limits.previewBytes;
  return fits ? text : undefined;
}

/** Undefined for what is no preview. */
export function decodePreview(text: string): Preview | undefined {
  try {
    const value = JSON.parse(text) as Partial<Preview> | null;
    if (typeof value !== "object" || value === null || !types.includes(value.type ?? "")) return undefined;
    const { messageId, attemptId, data } = value;
    const isWhole = typeof messageId === "string" && typeof attemptId === "string" && typeof data === "object";
    return isWhole && data !== null ? (value as Preview) : undefined;
  } catch {
    return undefined;
  }
}
