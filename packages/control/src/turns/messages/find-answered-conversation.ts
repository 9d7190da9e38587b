// Continues conversations of clients that send the whole conversation each time, and no id.

import type { Actor, Control } from "@dari/control/context";
import { conversationDigests } from "@dari/db";

/** Returns the id of the message that answered a conversation, if this organization has it. */
export function findAnsweredConversation(
  control: Control,
  { organizationId }: Actor,
  conversation: { readonly digest: Buffer; readonly answer: string },
): Promise<string | undefined> {
  return conversationDigests.findAnswered(control.db, { ...conversation, organizationId });
}
