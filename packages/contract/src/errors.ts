// Every error code of the API: status, title and what to do. The API maps a code to HTTP with this table.

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
    whatToDo:
      "Send `Authorization: Bearer dari_…` with a key that exists and is neither expired nor revoked. For a trigger, " +
      "check the secret on both sides and the sender's clock.",
  },
  forbidden: {
    status: 403,
    title: "Permission denied",
    whatToDo:
      "Use a key with the scope that `detail` names; an admin key can create one. Some calls are for operators only.",
  },
  not_found: {
    status: 404,
    title: "Not found",
    whatToDo: "Check the id. Resources of other organizations are not found either.",
  },
  invalid: {
    status: 422,
    title: "Invalid request",
    whatToDo: "Fix what `errors` lists. The list has every problem of the request, up to 100.",
  },
  conflict: {
    status: 409,
    title: "Conflict with the current state",
    whatToDo: "Read the resource again; `detail` says what the conflict is.",
  },
  agent_name_taken: {
    status: 409,
    title: "Another agent has this name",
    whatToDo:
      "Publish a version of the agent that `detail` names, or choose another name. To decide this in the request, " +
      "set `on_name_conflict`.",
  },
  precondition_failed: {
    status: 412,
    title: "The file does not match the request's condition",
    whatToDo:
      "Read the file again: its `ETag` differs from `If-Match`, or it exists and the request has `If-None-Match: *`.",
  },
  session_busy: {
    status: 409,
    title: "The session is busy",
    whatToDo: "Wait until the running message ends, or send with an `on_busy` other than `reject`.",
  },
  idempotency_key_reused: {
    status: 409,
    title: "The idempotency key belongs to another request",
    whatToDo: "Use a new `Idempotency-Key` for each new request; reuse one only to repeat the same request.",
  },
  too_large: {
    status: 413,
    title: "The request is too large",
    whatToDo: "Send less: `detail` names the limit.",
  },
  limit_exceeded: {
    status: 429,
    title: "Limit reached",
    whatToDo:
      "Wait for `Retry-After` seconds, then send the same request again, with the same `Idempotency-Key`. A batch " +
      "with more messages than the limit per minute is never accepted: split it.",
  },
  quota_exceeded: {
    status: 429,
    title: "Quota reached: stored bytes, or number of sessions, files, agents or API keys",
    whatToDo: "Delete some of what `detail` names, or ask an operator to raise the organization's limit.",
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
      "Read another file, or send the next message. Its turn starts from the newest intact snapshot, so you need not " +
      "roll back the session. If a version's bundle is damaged, publish it again. For operators: " +
      "`dari doctor --store --deep` lists the damage.",
  },
  internal: {
    status: 500,
    title: "Internal error",
    whatToDo: "Retry; if it fails again, report the `request_id`.",
  },
};

/** The body of every error reply. */
export const ErrorBody = Type.Object(
  {
    detail: Type.String({ description: "What went wrong, for people. May change; decide by `code`." }),
    code: Type.Unsafe<AppErrorCode>(Type.String({ enum: appErrorCodes })),
    request_id: Type.String(),
    errors: Type.Optional(
      Type.Array(Type.Object({ path: Type.String({ examples: ["parts[0].file_id"] }), message: Type.String() })),
    ),
  },
  { title: "Error" },
);
export type ErrorBody = Static<typeof ErrorBody>;

/** Renders the body of an error reply. `errors` is present only if there are any. */
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

/** Returns the page docs/errors.md, derived from the registry. */
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
    'Every error reply is `{"detail", "code", "request_id"}`, with `errors: [{path, message}]` if a body, a query or a',
    "manifest is invalid. Decide by `code`; `detail` is for people and may change.",
    "",
    "| code | status | meaning | what to do |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}
