// A typed HTTP client over the contract: one method per route. Runs in Node and in a browser; keeps no state.

import { agentCalls } from "./agents.ts";
import { batchCalls } from "./batches.ts";
import { budgetCalls } from "./budgets.ts";
import { bundleCalls } from "./bundles.ts";
import { egressCalls } from "./egress.ts";
import { directFileCalls } from "./direct-files.ts";
import { fileCalls } from "./files.ts";
import { historyCalls } from "./history.ts";
import { inputCalls } from "./inputs.ts";
import { memberCalls } from "./members.ts";
import { operatorCalls } from "./operators.ts";
import { organizationCalls } from "./organizations.ts";
import { scheduleCalls } from "./schedules.ts";
import { sessionCalls } from "./sessions.ts";
import { streamCalls } from "./streams.ts";
import { type ClientOptions, createTransport } from "./transport.ts";
import { usageCalls } from "./usage.ts";
import { webhookCalls } from "./webhooks.ts";

/**
 * Creates a client of one platform. Calls throw `ApiError` if the platform refuses, `ConnectionError` if it cannot be
 * reached, and the signal's reason when that aborts. Only reads are retried, a few times, if the platform cannot be
 * reached or answers 503.
 */
export function createClient(options: ClientOptions) {
  const transport = createTransport(options);
  return {
    ...agentCalls(transport),
    ...bundleCalls(transport),
    ...sessionCalls(transport),
    ...streamCalls(transport),
    ...fileCalls(transport),
    ...directFileCalls(transport),
    ...historyCalls(transport),
    ...inputCalls(transport),
    ...organizationCalls(transport),
    ...memberCalls(transport),
    ...operatorCalls(transport),
    ...budgetCalls(transport),
    ...egressCalls(transport),
    ...usageCalls(transport),
    ...webhookCalls(transport),
    ...scheduleCalls(transport),
    ...batchCalls(transport),
  };
}

export type Client = ReturnType<typeof createClient>;

export type { BatchSessionQuery } from "./batches.ts";
export { ApiError, ConnectionError } from "./errors.ts";
export type { FileConditions, FileUpload } from "./files.ts";
export type { AttemptName } from "./history.ts";
export type { Probe } from "./operators.ts";
export { eachRow, type Page, type PageQuery } from "./pages.ts";
export type { FiringQuery, ScheduleQuery } from "./schedules.ts";
export {
  isTerminal,
  type MessageContent,
  type SessionFilter,
  type SummaryQuery,
  type WaitOptions,
} from "./sessions.ts";
export { isLedgerEvent, isMessageEnd, type PreviewEvent, type StreamedEvent, type StreamOptions } from "./streams.ts";
export type { CallOptions, ClientOptions } from "./transport.ts";
export type { DeliveryQuery } from "./webhooks.ts";
