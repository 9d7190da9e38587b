// What a chat is while it runs.

import type { Client } from "@dari/client";
import type { Context } from "../context.ts";
import type { TurnView } from "./turn.ts";

export interface Chat {
  readonly api: Client;
  readonly context: Context;
  readonly view: TurnView;
  /** Changes with `/fork`, and when `dari dev` goes on with a new version. */
  sessionId: string;
}

/** A wrong line. The chat goes on. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
