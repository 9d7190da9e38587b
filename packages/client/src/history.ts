// Calls that go back in a session's history: forks, rollbacks, diffs, and the files of failed attempts; and calls that
// export and import sessions.

import type { SessionRecord } from "@dari/contract";
import type { CallOptions, HttpBody, Transport } from "./transport.ts";
import { createDeriver } from "./derive-methods.ts";
import { bodyOf } from "./response-body.ts";

/** Identifies an attempt by the number in its message's record. */
export interface AttemptName {
  readonly messageId: string;
  readonly number: number;
}

export function historyCalls(transport: Transport) {
  const { call, open, upload } = transport;
  const { derived } = createDeriver(transport);
  return {
    /** Creates a session with the conversation and the workspace as of a message; by default the last completed one. */
    forkSession: derived("forkSession"),

    /** Returns an idle session to its state after a message. */
    rollBackSession: (id: string, messageId: string, options?: CallOptions) =>
      call("rollBackSession", { path: { session_id: id }, body: { message_id: messageId }, options }),

    /** A turn's changes as a patch for `git apply`. */
    async messageDiff(id: string, options?: CallOptions): Promise<string> {
      return (await open("getMessageDiff", { path: { message_id: id }, options })).text();
    },

    /** Lists one directory of an unsuccessful attempt's files, or with `recursive` everything below it. */
    listAttemptFiles: (
      attempt: AttemptName,
      query: { readonly path?: string; readonly recursive?: boolean } = {},
      options?: CallOptions,
    ) => call("listAttemptFiles", { path: pathOf(attempt), query: { ...query }, options }),

    /** The bytes of a file of an unsuccessful attempt. */
    async readAttemptFile(
      attempt: AttemptName,
      path: string,
      options?: CallOptions,
    ): Promise<ReadableStream<Uint8Array>> {
      return bodyOf(await open("getAttemptFileContent", { path: pathOf(attempt), query: { path }, options }));
    },

    /** Makes the files of an unsuccessful attempt the session's workspace. */
    promoteAttempt: (attempt: AttemptName, options?: CallOptions) =>
      call("promoteAttempt", { path: pathOf(attempt), options }),

    /** Exports a session as one file for another installation. There is no time limit. */
    async exportSession(id: string, options?: CallOptions): Promise<ReadableStream<Uint8Array>> {
      return bodyOf(await open("exportSession", { path: { session_id: id }, options }));
    },

    /**
     * Starts a session from an export, with an existing version of the same bundle, a version of any agent, or a new
     * agent.
     */
    importSession: (
      exported: HttpBody,
      { agentId, ...options }: CallOptions & { readonly agentId?: string } = {},
    ): Promise<SessionRecord> => {
      const headers = { "content-type": "application/gzip" };
      return upload("importSession", { body: exported, headers, query: { agent_id: agentId } }, options);
    },
  };
}

function pathOf({ messageId, number }: AttemptName) {
  return { message_id: messageId, attempt_number: String(number) };
}
