// Watches streams as clients do, and runs the watched turns.

import type { StreamedEvent } from "@dari/contract";
import { dispatch, type ClaimedTurn } from "@dari/db";
import type { Preview } from "@dari/domain";
import { waitUntil } from "@dari/testkit";
import type { TestApi } from "./api-fixture.ts";
import { claim, finish } from "./turn.ts";

export interface Watching {
  readonly seen: StreamedEvent[];
  readonly done: Promise<void>;
  stop(): void;
}

export function watch(start: (signal: AbortSignal) => AsyncIterable<StreamedEvent>): Watching {
  const over = new AbortController();
  const seen: StreamedEvent[] = [];
  const read = async (): Promise<void> => {
    for await (const event of start(over.signal)) seen.push(event);
  };
  const done = read().catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  return { seen, done, stop: () => over.abort() };
}

/** A stream as raw text. */
export interface RawWatching {
  readonly response: Response;
  /** The text received so far. */
  readonly text: () => string;
  /** Resolves when the platform ends it, rejects if it breaks. */
  readonly done: Promise<void>;
  stop(): void;
}

export async function watchRaw(
  api: TestApi,
  path: string,
  options: { readonly key?: string | null; readonly headers?: Record<string, string> } = {},
): Promise<RawWatching> {
  const over = new AbortController();
  const { key = api.org.apiKey } = options;
  const response = await fetch(`${api.url}${path}`, {
    headers: { ...(key !== null && { authorization: `Bearer ${key}` }), ...options.headers },
    signal: over.signal,
  });
  let text = "";
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const piece of response.body ?? []) text += decoder.decode(piece as Uint8Array, { stream: true });
  };
  const done = read().catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  return { response, text: () => text, done, stop: () => over.abort() };
}

/** Claims the session's next message. Fails turns that other tests left open. */
export function claimIn(api: TestApi, sessionId: string): Promise<ClaimedTurn> {
  return waitUntil(
    async () => {
      await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 10 }], 60_000);
      const turn = await claim(api).catch(() => undefined);
      if (turn === undefined || turn.sessionId === sessionId) return turn;
      await finish(api, turn, { ending: "failed", failure: { code: "agent_error", message: "another test's" } });
      return undefined;
    },
    { what: "a message of the session to be claimed" },
  );
}

/** Sends a request that is answered when its turn ends, and claims that turn. */
export async function claimSent<Reply>(
  api: TestApi,
  send: () => Promise<Reply>,
): Promise<{ readonly turn: ClaimedTurn; readonly replying: Promise<Reply> }> {
  const openSessions = async (): Promise<string[]> => {
    const { rows } = await api.db.pool.query<{ id: string }>(
      "select session_id as id from dari.messages where completed_at is null order by created_at desc",
    );
    return rows.map(({ id }) => id);
  };
  const before = await openSessions();
  const replying = send();
  const findNew = async () => (await openSessions()).find((id) => !before.includes(id));
  return { turn: await claimIn(api, await waitUntil(findNew, { what: "the message" })), replying };
}

export function preview(
  of: { readonly messageId: string; readonly attemptId: string },
  type: Preview["type"],
  data: Preview["data"],
): Preview {
  return { type, messageId: of.messageId, attemptId: of.attemptId, data };
}
