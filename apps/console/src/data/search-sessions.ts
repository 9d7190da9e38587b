// Searches sessions by their texts across the pages of the list. Draws nothing.

import type { Page } from "@dari/client";
import type { SessionSummary } from "@dari/contract";

export interface SessionSearch {
  /** Empty: the newest sessions. */
  readonly text: string;
  readonly count: number;
  /** Each call reads the texts of a bounded number of sessions, so a search can need several. */
  readonly callsMax: number;
}

export interface SessionsFound {
  readonly rows: readonly SessionSummary[];
  /** True if older sessions were not searched. */
  readonly hasMore: boolean;
}

type ListSessions = (query: {
  readonly limit: number;
  readonly q?: string;
  readonly after?: string;
}) => Promise<Page<SessionSummary>>;

/** Yields what is found so far after each call, until there is enough, nothing more, or no call left. */
export async function* searchSessions(
  list: ListSessions,
  { text, count, callsMax }: SessionSearch,
): AsyncGenerator<SessionsFound> {
  const rows: SessionSummary[] = [];
  let after: string | null = null;
  for (let calls = 0; calls < callsMax; calls += 1) {
    const page: Page<SessionSummary> = await list({
      limit: count - rows.length,
      ...(text === "" ? {} : { q: text }),
      ...(after === null ? {} : { after }),
    });
    rows.push(...page.data);
    after = page.next;
    yield { rows: [...rows], hasMore: after !== null };
    if (after === null || rows.length >= count) return;
  }
}
