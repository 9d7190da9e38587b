// What a route declares; `routes.ts` collects all routes.

import type { TSchema } from "typebox";
import type { ApiKeyScope } from "../schemas/organizations.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Route {
  readonly method: Method;
  /** Parameters in braces: `/v1/agents/{agent_id}`. */
  readonly path: string;
  /** What the key must be allowed; `operator`: it is an operator's admin key; null: no key is needed. */
  readonly scope: ApiKeyScope | "operator" | null;
  /** Operators may name any organization in the path; others only their own. */
  readonly operatorsToo?: boolean;
  /** The key that has created the organization in the path may name it, too. */
  readonly creatorToo?: boolean;
  readonly summary: string;
  /**
   * Query parameters, each a string or, where it may repeat, a list of them. `metadata.<key>` is outside the schema.
   */
  readonly query?: TSchema;
  /** A JSON body; absent: the route has none. */
  readonly request?: TSchema;
  /** The body may also be empty, whatever its content type says. */
  readonly bodyOptional?: boolean;
  /** A body that is not JSON. */
  readonly requestContent?: "multipart/form-data" | "application/octet-stream" | "application/gzip";
  /** A JSON reply; absent: `replyContent` says what it is. */
  readonly reply?: TSchema;
  readonly replyContent?:
    "text/plain" | "application/octet-stream" | "text/event-stream" | "application/gzip" | "application/zip" | "*/*";
  /** Replies with the JSON or, where the call asks for a stream, with events that end in it. */
  readonly mayStream?: boolean;
  readonly status: number;
  /** Further success statuses with the same reply. */
  readonly alsoStatus?: readonly number[];
  /** A GET that the present state may stand against. */
  readonly mayConflict?: boolean;
  /** Reads the session's workspace; where its head is damaged, an older snapshot. */
  readonly mayBeOlder?: boolean;
  /** Accepts `If-Match` and `If-None-Match`. */
  readonly conditional?: boolean;
  /**
   * Counted beside the request: a message, those of its body's `sessions` or `items`, the body's bytes, or the
   * `size_bytes` that its body reserves room for.
   */
  readonly spends?: "messages" | "batch" | "upload" | "reservation";
  /** Accepts `Idempotency-Key`. */
  readonly idempotent?: boolean;
}
