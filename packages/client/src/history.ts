// Calls that go back in a session's history: forks, rollbacks, diffs, and what failed attempts left behind; and those
// that take a session elsewhere.

import type { SessionRecord } from "@dari/contract";
import type { CallOptions, HttpBody, Transport } from "./transport.ts";
import { deriving } from "./derive.ts";
import { bodyOf } from "./response-body.ts";

/** An attempt as a message's record counts them. */
export interface AttemptName {
  readonly messageId: string;
  readonly number: number;
}

export function historyCalls(transport: Transport) {
  const { call, open, upload } = transport;
  const { derived } = deriving(transport);
  return {
    /** A new session with the conversation and the workspace as of a message; by default the last completed one. */
    forkSession: derived("forkSession"),

    /** Takes an idle session back to what it was after a message. */
    rollBackSession: (id: string, messageId: string, options?: CallOptions) =>
      call("rollBackSession", { path: { session_id: id }, body: { message_id: messageId }, options }),

    /** A turn's changes as a patch that `git apply` takes. */
    async messageDiff(id: string, options?: CallOptions): Promise<string> {
      return (await open("getMessageDiff", { path: { message_id: id }, options })).text();
    },

    /** One directory of what an unsuccessful attempt left behind, or with `recursive` everything below it. */
    listAttemptFiles: (
      attempt: AttemptName,
      query: { readonly path?: string; readonly recursive?: boolean } = {},
      options?: CallOptions,
    ) => call("listAttemptFiles", { path: pathOf(attempt), query: { ...query }, options }),

    /** The bytes of a file that an unsuccessful attempt left behind. */
    async readAttemptFile(
      attempt: AttemptName,
      path: string,
      options?: CallOptions,
    ): Promise<ReadableStream<Uint8Array>> {
      return bodyOf(await open("getAttemptFileContent", { path: pathOf(attempt), query: { path }, options }));
    },

    /** Makes what an unsuccessful attempt left behind the session's workspace. */
    promoteAttempt: (attempt: AttemptName, options?: CallOptions) =>
      call("promoteAttempt", { path: pathOf(attempt), options }),

    /** A session as one file for another installation; takes as long as it takes. */
    async exportSession(id: string, options?: CallOptions): Promise<ReadableStream<Uint8Array>> {
      return bodyOf(await open("exportSession", { path: { session_id: id }, options }));
    },

    /** Starts a session from an export, on the agent's version of the same bundle, any agent's, or a new agent's. */
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
