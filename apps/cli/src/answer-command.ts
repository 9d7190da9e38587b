// The command that answers an input, for people who read about it.

import type { MessageInput } from "@dari/contract";

/** Returns the command. A limit is raised to what the input proposes. */
export function answerCommand(
  messageId: string | undefined,
  { key, type }: Pick<MessageInput, "key" | "type">,
): string {
  const value = type === "budget" ? `'{"approved": true}'` : "<json>";
  return `dari message answer ${messageId ?? "@last"} ${key} --value ${value}`;
}
