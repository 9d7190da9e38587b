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
      "Send `Authorization: Bearer dari_…` with a key that exists and is neither expired nor revoked. For tokens and " +
      "triggers, see [below](#keys-tokens-and-origins).",
  },
  forbidden: {
    status: 403,
    title: "Permission denied",
    whatToDo:
      "Use a key with the scope that `detail` names; an admin key can create one. Some calls are for operators only. " +
      "For tokens and pages, see [below](#keys-tokens-and-origins).",
  },
  not_found: {
    status: 404,
    title: "Not found",
    whatToDo: "Check the id. Resources of other organizations are not found either.",
  },
  invalid: {
    status: 422,
    title: "Invalid request",
    whatToDo:
      "Fix what `errors` lists. The list has every problem of the request, up to 100; of a body with more than " +
      "10,000 values, it has one.",
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

interface AccessError {
  readonly status: number;
  /** How `detail` begins, or the code of OAuth. */
  readonly says: string;
  readonly whatToDo: string;
}

/** Why keys, tokens, pages and senders are refused. */
const accessErrors: readonly AccessError[] = [
  {
    status: 401,
    says: "`Missing or invalid API key`, for a session token",
    whatToDo: "Create the token on this installation. Tokens from before a change of the master key are invalid.",
  },
  {
    status: 401,
    says: "`the session token has expired or was revoked`",
    whatToDo: "Get a new token from your server, and send the call again: it did nothing. The client does so itself.",
  },
  {
    status: 401,
    says: "`the event's signature is missing, wrong or too old`",
    whatToDo: "Check the [trigger's](triggers.md#signatures) secret on both sides, and the sender's clock.",
  },
  {
    status: 403,
    says: "`the session token does not have the scope '…'`",
    whatToDo: "Create the token with this scope in `scopes`.",
  },
  {
    status: 403,
    says: "`the creator of the session token does not have the scope '…'`",
    whatToDo: "Create the token with a key that has the scope `run`.",
  },
  {
    status: 403,
    says: "`a session token cannot make this request`, `the session token is for another session`",
    whatToDo: "Make the call on your server, with an API key.",
  },
  {
    status: 403,
    says: "`pages of … cannot use the organization's session tokens`",
    whatToDo:
      "Add the page's origin to the [allowed origins](browsers.md). The browser hides this reply: the page sees a " +
      "failed `fetch`.",
  },
  {
    status: 403,
    says: "`pages of … cannot call the MCP server`",
    whatToDo: "Call `/mcp` from a program. Pages of `DARI_PUBLIC_URL` can call it too.",
  },
  {
    status: 403,
    says: "`this access token of a connected app is only for /mcp`",
    whatToDo: "Use an API key for all other calls.",
  },
  {
    status: 404,
    says: "`apps cannot connect by OAuth`",
    whatToDo: "Set `DARI_PUBLIC_URL` as [MCP sign-in](mcp-sign-in.md#for-operators) says, or use an API key.",
  },
  {
    status: 401,
    says: "OAuth: `invalid_client`",
    whatToDo: "Remove the platform in the client and add it again. The master key has changed.",
  },
  {
    status: 400,
    says: "OAuth: `invalid_grant`",
    whatToDo: "Sign in again: the code or the refresh token has expired, was used, or its app has ended.",
  },
  {
    status: 400,
    says: "OAuth: `invalid_target`",
    whatToDo: "Give the client the address `DARI_PUBLIC_URL` with `/mcp` at its end.",
  },
  {
    status: 400,
    says: "OAuth: `invalid_redirect_uri`",
    whatToDo: "Register a redirect URI with https://, or one of this computer.",
  },
];

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
    "manifest is invalid. Decide by `code`; `detail` is for people and may change. Replies of `/openai/v1` also have",
    "[OpenAI's `error`](openai.md#errors). `/oauth` replies as OAuth says: `error` and `error_description`.",
    "",
    "| code | status | meaning | what to do |",
    "|---|---|---|---|",
    ...rows,
    "",
    "## Keys, tokens and origins",
    "",
    "Which of them is for what: [keys and tokens](tokens.md).",
    "",
    "| status | `detail` begins with | what to do |",
    "|---|---|---|",
    ...accessErrors.map(({ status, says, whatToDo }) => `| ${status} | ${says} | ${whatToDo} |`),
    "",
  ].join("\n");
}
