// Every error a caller can meet: status, title, and what to do about it. The API maps a code to HTTP with this table.

import { type AppErrorCode, appErrorCodes, type FieldIssue } from "@dari/domain";
import Type, { type Static } from "typebox";

export interface ErrorKind {
  readonly status: number;
  readonly title: string;
  readonly whatToDo: string;
}

export const errorKinds: Readonly<Record<AppErrorCode, ErrorKind>> = {
  unauthenticated: {
    status: 401,
    title: "Missing or invalid API key",
    whatToDo: "Send `Authorization: Bearer dari_…` with a key that exists, has not expired and was not revoked.",
  },
  forbidden: {
    status: 403,
    title: "The key may not do this",
    whatToDo:
      "Use a key with the scope that the detail names, or let an admin key create one; some calls are for operators.",
  },
  not_found: {
    status: 404,
    title: "Not found",
    whatToDo: "Check the id. An id of another organization is not found either.",
  },
  invalid: {
    status: 422,
    title: "The request is invalid",
    whatToDo: "Correct what `errors` lists; it names every problem at once.",
  },
  conflict: {
    status: 409,
    title: "Conflict with the present state",
    whatToDo: "Read the resource again and decide anew; the detail says what is in the way.",
  },
  precondition_failed: {
    status: 412,
    title: "The file is not what the request expects",
    whatToDo:
      "Read the file again; its `ETag` is not the one of `If-Match`, or it exists and `If-None-Match` says `*`.",
  },
  session_busy: {
    status: 409,
    title: "The session is busy",
    whatToDo: "Wait for the running message, or send with another `on_busy` than `reject`.",
  },
  idempotency_key_reused: {
    status: 409,
    title: "The idempotency key was used for another request",
    whatToDo: "Use a new `Idempotency-Key` for a new request; repeat the old one only with the same body.",
  },
  too_large: {
    status: 413,
    title: "Too large",
    whatToDo: "Send less: the detail names the limit.",
  },
  limit_exceeded: {
    status: 429,
    title: "A limit is reached",
    whatToDo: "Wait for `Retry-After` seconds, then send the same request again.",
  },
  quota_exceeded: {
    status: 429,
    title: "The organization keeps as much as it may",
    whatToDo: "Delete some of what the detail names, or let an operator raise the organization's bound.",
  },
  unavailable: {
    status: 503,
    title: "Temporarily unavailable",
    whatToDo: "Wait for `Retry-After` seconds, then send the same request again, with the same `Idempotency-Key`.",
  },
  snapshot_damaged: {
    status: 500,
    title: "Stored files are damaged",
    whatToDo:
      "Read another file, or roll the session back. The session's next turn continues at its last whole snapshot; " +
      "an operator finds what is damaged with `dari doctor --store --deep`.",
  },
  internal: {
    status: 500,
    title: "Internal error",
    whatToDo: "Try again; if it stays, report the `request_id`.",
  },
};

/** The body of every error reply. */
export const ErrorBody = Type.Object(
  {
    detail: Type.String({ description: "For a person." }),
    code: Type.Unsafe<AppErrorCode>(Type.String({ enum: appErrorCodes })),
    request_id: Type.String(),
    errors: Type.Optional(
      Type.Array(Type.Object({ path: Type.String({ examples: ["parts[0].file_id"] }), message: Type.String() })),
    ),
  },
  { title: "Error" },
);
export type ErrorBody = Static<typeof ErrorBody>;

/** Renders a refusal for the wire. `errors` is present only when there is something to list. */
export function renderError(error: {
  readonly code: AppErrorCode;
  readonly detail: string;
  readonly issues?: readonly FieldIssue[];
  readonly requestId: string;
}): ErrorBody {
  const errors = (error.issues ?? []).map(({ path, message }) => ({ path, message }));
  return {
    detail: error.detail,
    code: error.code,
    request_id: error.requestId,
    ...(errors.length > 0 ? { errors } : {}),
  };
}

/** The page docs/errors.md, derived from the registry. */
export function renderErrorsMarkdown(): string {
  const rows = appErrorCodes.map((code) => {
    const kind = errorKinds[code];
    return `| \`${code}\` | ${kind.status} | ${kind.title} | ${kind.whatToDo} |`;
  });
  return [
    "# Errors",
    "",
    "<!-- Generated from packages/contract/src/errors.ts. -->",
    "",
    'Every refusal is `{"detail", "code", "request_id"}`, with `errors: [{path, message}]` where a body, a query or a',
    "manifest does not validate. Decide by `code`; `detail` is for people and may change.",
    "",
    "| code | status | meaning | what to do |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}
