// Why an attempt ended badly. Never mixed with AppError, which is why a call was refused.

/** Codes of `output.error.code`, each with whether another attempt may help. */
export const failureCodes = {
  agent_error: { retryable: true, says: "the agent threw an error" },
  agent_exit: { retryable: true, says: "the agent's process ended before it answered" },
  out_of_memory: { retryable: true, says: "the agent used more memory than it may" },
  too_many_processes: { retryable: false, says: "the agent started more processes than it may" },
  disk_full: { retryable: false, says: "the agent wrote more to the disk than it may" },
  cpu_limit: { retryable: false, says: "the agent used more processor time than it may" },
  worker_lost: { retryable: true, says: "the worker that ran the turn was lost" },
  internal_error: { retryable: true, says: "the platform failed while it ran the turn" },
  timeout: { retryable: false, says: "the agent did not answer within runtime.timeout_seconds, its time limit" },
  invalid_output: { retryable: false, says: "the agent's result cannot be written as JSON" },
  output_too_large: { retryable: false, says: "the agent's result is larger than the limit" },
  workspace_limit: { retryable: false, says: "the workspace is larger than the limit" },
  storage_quota: { retryable: false, says: "the organization would keep more bytes than it may" },
  entrypoint_not_found: { retryable: false, says: "the entrypoint does not exist" },
  unsupported_export: { retryable: false, says: "the entrypoint's export cannot be run" },
  build_failed: { retryable: false, says: "the version could not be built" },
  missing_secret: { retryable: false, says: "a secret that the manifest names has no value" },
  runtime_unavailable: { retryable: false, says: "no worker has the runtime that the manifest asks for" },
  input_expired: { retryable: false, says: "nobody answered what the agent asked for in time" },
  cancelled: { retryable: false, says: "the message was cancelled" },
} as const;

export type FailureCode = keyof typeof failureCodes;

/** Why an attempt ended: a code, and a message that is safe to show to the tenant. */
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
