// What a route declares; `routes.ts` collects all routes.

import type { TSchema } from "typebox";
import type { ApiKeyScope } from "../vocabulary.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Route {
  readonly method: Method;
  /** Parameters in braces: `/v1/agents/{agent_id}`. */
  readonly path: string;
  /** Scope that the key must have. `operator`: an operator's admin key. Null: no key is needed. */
  readonly scope: ApiKeyScope | "operator" | null;
  /** Operators may name any organization in the path; other callers only their own. */
  readonly allowsOperators?: boolean;
  /** The key that created the organization in the path may name it as well. */
  readonly allowsCreator?: boolean;
  readonly summary: string;
  /**
   * Query parameters: strings, or lists of strings if they can be repeated. `metadata.<key>` is not in the schema.
   */
  readonly query?: TSchema;
  /** The JSON body. Absent: the route takes none. */
  readonly request?: TSchema;
  /** The body may be empty, with any content type. */
  readonly bodyOptional?: boolean;
  /** The sender may have signed the JSON body: the handler reads its bytes itself, and can answer 401. */
  readonly isSigned?: boolean;
  /** Maximum number of values in the JSON body, if it is lower than that of other routes. */
  readonly bodyValuesMax?: number;
  /** A body that is not JSON. */
  readonly requestContent?: "multipart/form-data" | "application/octet-stream" | "application/gzip";
  /** Fields that a multipart body has beside its file. Absent: none. */
  readonly form?: TSchema;
  /** The JSON reply. Absent: `replyContent` is its content type. */
  readonly reply?: TSchema;
  readonly replyContent?:
    | "text/plain"
    | "application/x-ndjson"
    | "application/octet-stream"
    | "text/event-stream"
    | "application/gzip"
    | "application/zip"
    | "*/*";
  /** Replies with the JSON or, if the request asks for a stream, with events, of which the last carries it. */
  readonly mayStream?: boolean;
  /** What `data:` of that stream contains (default: `StreamedEvent`). */
  readonly streamItem?: TSchema;
  readonly status: number;
  /** Further success statuses with the same reply. */
  readonly alsoStatus?: readonly number[];
  /** A GET that can answer 409. */
  readonly mayConflict?: boolean;
  /** Reads the session's workspace. If its newest snapshot is damaged, reads an older one. */
  readonly mayBeOlder?: boolean;
  /** Accepts `If-Match` and `If-None-Match`. */
  readonly conditional?: boolean;
  /**
   * What rate limits count besides the request: one message, the messages of `sessions` or `items` in the body, the
   * bytes of the body, or the `size_bytes` that the body reserves.
   */
  readonly countsAs?: "messages" | "batch" | "upload" | "reservation";
  /** Accepts `Idempotency-Key`. */
  readonly idempotent?: boolean;
}
