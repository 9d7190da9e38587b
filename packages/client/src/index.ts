// A typed HTTP client with one method for each operation. Runs wherever fetch does; keeps no state.

import { buildMethods } from "./builds.ts";
import { directFileMethods } from "./direct-files.ts";
import type { Operations } from "./generated/operations.ts";
import { messageMethods } from "./messages.ts";
import { createOperations } from "./operations.ts";
import { probeMethods } from "./probe.ts";
import { type ClientOptions, createTransport } from "./transport.ts";

/** What a client can do: every operation of the API, and helpers that make several calls. */
export type Client = Operations &
  ReturnType<typeof messageMethods> &
  ReturnType<typeof buildMethods> &
  ReturnType<typeof directFileMethods> &
  ReturnType<typeof probeMethods>;

/**
 * Creates a client of one platform. Calls throw `ApiError` if the platform refuses, `ConnectionError` if it cannot be
 * reached, and the signal's reason when that aborts.
 */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  const api = createOperations(transport);
  return {
    ...api,
    ...messageMethods(api),
    ...buildMethods(api, transport),
    ...directFileMethods(api, transport),
    ...probeMethods(transport),
  };
}

export type { CallOptions, Content, FileUpload, StreamOptions } from "./call.ts";
export type { DirectFileUpload } from "./direct-files.ts";
export { ApiError, ConnectionError } from "./errors.ts";
export type * from "./generated/models.ts";
export type { Operations } from "./generated/operations.ts";
export { isTerminal, type MessageContent, type SendOptions, type WaitOptions } from "./messages.ts";
export { eachRow, type PageQuery } from "./pages.ts";
export type { Probe } from "./probe.ts";
export { isLedgerEvent, isMessageEnd, type MessageEndEvent } from "./streams.ts";
export type { ClientOptions } from "./transport.ts";
