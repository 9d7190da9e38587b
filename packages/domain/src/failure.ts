// Why an attempt failed. AppError is separate: it says why a request was refused.

/** The codes of `output.error.code`, each with whether another attempt can succeed. */
export const failureCodes = {
  agent_error: { retryable: true, says: "the agent threw an error" },
  agent_exit: { retryable: true, says: "the agent's process ended before it answered" },
  out_of_memory: { retryable: true, says: "the agent exceeded its memory limit" },
  too_many_processes: { retryable: false, says: "the agent exceeded its limit of processes and threads" },
  disk_full: { retryable: false, says: "the agent exceeded its disk limit" },
  cpu_limit: { retryable: false, says: "the agent exceeded its limit of processor time" },
  worker_lost: { retryable: true, says: "the worker that ran the turn was lost" },
  internal_error: { retryable: true, says: "the platform failed while it ran the turn" },
  timeout: {
    retryable: false,
    says: "the agent exceeded its time limit; raise runtime.timeout_seconds in dari.yml",
  },
  invalid_output: { retryable: false, says: "the agent's result cannot be written as JSON" },
  output_too_large: {
    retryable: false,
    says: "the agent's result is larger than its limit; write large results to files",
  },
  workspace_limit: {
    retryable: false,
    says: "the workspace exceeds its limit; delete files or ask an operator for more",
  },
  storage_quota: {
    retryable: false,
    says: "the organization's storage quota is reached; delete files or sessions, or ask an operator for more",
  },
  entrypoint_not_found: { retryable: false, says: "the entrypoint does not exist" },
  unsupported_export: { retryable: false, says: "the entrypoint's export cannot be run" },
  build_failed: { retryable: false, says: "the version could not be built" },
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
