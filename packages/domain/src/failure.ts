// Why an attempt failed. AppError is separate: it says why a request was refused.

import { limits } from "./limits.ts";

/** A message that is sent again has another operation key. All attempts of a message have the same one. */
export const retryAdvice =
  "the agent may have called services already: check that before you send the message again, or set " +
  "retries.max_attempts in dari.yml and pass operationKey to these services";

/** The codes of `output.error.code`, each with whether another attempt can succeed. */
export const failureCodes = {
  agent_error: { retryable: true, says: "the agent threw an error; read its output with `dari logs <message>`" },
  credential_refused: {
    retryable: false,
    says:
      "a service that the agent called, usually the model's, refused its credential (401 Unauthorized); replace the " +
      "value with `dari credentials add`",
  },
  agent_exit: {
    retryable: true,
    says: "the agent's process ended before it answered; read its output with `dari logs <message>`",
  },
  out_of_memory: {
    retryable: true,
    says:
      "the agent exceeded its memory limit (`runtime.memory` in dari.yml, default `DARI_TURN_MEMORY_BYTES`: 4 GiB); " +
      "use less memory, or raise the limit, up to `DARI_TURN_MEMORY_MAX_BYTES`, which an operator sets",
  },
  too_many_processes: {
    retryable: false,
    says: exceeded(
      "its limit of processes and threads",
      "`DARI_TURN_PROCESSES`, default 512",
      "start fewer processes and threads",
    ),
  },
  disk_full: {
    retryable: false,
    says: exceeded("its disk limit", "`DARI_TURN_DISK_BYTES`, default 10 GiB", "delete temporary files"),
  },
  cpu_limit: {
    retryable: false,
    says: exceeded(
      "its limit of processor time",
      "`DARI_TURN_CPU_SECONDS`, default none",
      "split the work into several messages",
    ),
  },
  worker_lost: {
    retryable: true,
    says: `the worker that ran the turn was lost, or had no memory left; ${retryAdvice}`,
  },
  internal_error: {
    retryable: true,
    says: `the platform failed while it ran the turn; ${retryAdvice}`,
  },
  timeout: {
    retryable: false,
    says:
      `the agent exceeded its time limit (default ${limits.turnTimeoutSecondsDefault} s); raise ` +
      `runtime.timeout_seconds in dari.yml, up to ${limits.turnTimeoutSecondsMax} s`,
  },
  budget_exceeded: {
    retryable: false,
    says:
      "the message reached its limit of requests to models, of their tokens or of their cost, in all of its " +
      "attempts; raise `limits` in dari.yml, or in the request that sends the message",
  },
  replay_diverged: {
    retryable: false,
    says:
      "a request to a model has no recorded answer, and the replay may not ask a model, or the recorded answers have " +
      "expired; replay the message with live requests to see what follows, or replay a newer one",
  },
  invalid_output: {
    retryable: false,
    says: "the agent's result cannot be written as JSON; return text, or a value that JSON can represent",
  },
  output_too_large: {
    retryable: false,
    says: "the agent's result is larger than 8 MiB; write large results to files",
  },
  workspace_limit: {
    retryable: false,
    says:
      "the workspace exceeds its limit (default: 10 GiB, 200,000 files, 5 GiB per file); delete files or ask an " +
      "operator for more",
  },
  storage_quota: {
    retryable: false,
    says:
      "the organization's storage quota is reached (default: none; see `dari org limits get`); delete files or " +
      "sessions, or ask an operator for more",
  },
  entrypoint_not_found: { retryable: false, says: "the entrypoint does not exist; correct entrypoint in dari.yml" },
  unsupported_export: {
    retryable: false,
    says: "the entrypoint's export cannot be run; export a function, or an SDK object that docs/agents.md lists",
  },
  build_failed: {
    retryable: false,
    says: "the version could not be built; read `dari agents build-logs <version>`",
  },
  missing_secret: {
    retryable: false,
    says: "a secret in the manifest has no value; add it with `dari credentials add`",
  },
  runtime_unavailable: {
    retryable: false,
    says: "no worker has the runtime in the manifest; change runtime.version in dari.yml",
  },
  input_expired: { retryable: false, says: "an input expired before it was answered; send the message again" },
  cancelled: { retryable: false, says: "the message was cancelled" },
} as const;

/**
 * Returns the text for an exceeded limit. `limit`: the setting and its default. `remedy`: what the agent can change.
 */
function exceeded(what: string, limit: string, remedy: string): string {
  return `the agent exceeded ${what} (${limit}); ${remedy}, or ask an operator to raise the limit`;
}

export type FailureCode = keyof typeof failureCodes;

/** Why an attempt failed: a code, and a message that is safe to show to the organization. */
export interface Failure {
  readonly code: FailureCode;
  readonly message: string;
}

export function failure(code: FailureCode, message: string = failureCodes[code].says): Failure {
  return { code, message };
}

export function isRetryable(code: FailureCode): boolean {
  return failureCodes[code].retryable;
}
