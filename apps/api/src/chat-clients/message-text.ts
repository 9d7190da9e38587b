// The text of a message. Pure.

/** Returns the text of a message's parts, without its files. */
export function textOf({ parts }: { readonly parts: readonly { readonly type: string }[] }): string {
  return parts.map((part) => ("text" in part && part.type === "text" ? String(part.text) : "")).join("");
}
