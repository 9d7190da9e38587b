// What a chat is while it runs.

import type { Client } from "@dari/client";
import type { Context } from "../context.ts";
import type { TurnView } from "./turn.ts";

export interface Chat {
  readonly api: Client;
  readonly context: Context;
  readonly view: TurnView;
  /** Changes with `/fork`, and when `dari dev` continues with a new version. */
  sessionId: string;
}

/** An invalid line. The chat continues. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
