// The search of the palette goes on through answers that find nothing, within its number of calls.

import type { SessionSummary } from "@dari/contract";
import { expect, test } from "@jest/globals";
import { searchSessions, type SessionSearch } from "./search-sessions.ts";

const rowOf = (id: string) => ({ id }) as SessionSummary;

/** Runs a search over pages with these ids. Returns the queries and the ids that each call added up to. */
async function search(pages: readonly (readonly string[])[], options: Partial<SessionSearch> = {}) {
  const queries: object[] = [];
  const list: Parameters<typeof searchSessions>[0] = (query) => {
    queries.push(query);
    const at = Number(query.after ?? 0);
    const next = at + 1 < pages.length ? String(at + 1) : null;
    return Promise.resolve({ data: (pages[at] ?? []).map(rowOf), has_more: next !== null, next });
  };
  const found: { ids: string[]; hasMore: boolean }[] = [];
  for await (const { rows, hasMore } of searchSessions(list, { text: "needle", count: 2, callsMax: 9, ...options })) {
    found.push({ ids: rows.map(({ id }) => id), hasMore });
  }
  return { queries, found };
}

test("a session that only the third answer finds is found", async () => {
  const { queries, found } = await search([[], [], ["old"]]);
  expect(found.at(-1)).toEqual({ ids: ["old"], hasMore: false });
  expect(queries).toEqual([
    { limit: 2, q: "needle" },
    { limit: 2, q: "needle", after: "1" },
    { limit: 2, q: "needle", after: "2" },
  ]);
});

test("it ends when there is enough, and says that there is more", async () => {
  const { queries, found } = await search([["a"], ["b"], ["c"]]);
  expect(found).toEqual([
    { ids: ["a"], hasMore: true },
    { ids: ["a", "b"], hasMore: true },
  ]);
  expect(queries[1]).toMatchObject({ limit: 1 });
});

test("it makes at most so many calls", async () => {
  const { queries, found } = await search([[], [], [], ["old"]], { callsMax: 3 });
  expect([queries.length, found.at(-1)]).toEqual([3, { ids: [], hasMore: true }]);
});

test("without a text, it asks once for the newest", async () => {
  const { queries } = await search([["a", "b"], ["c"]], { text: "" });
  expect(queries).toEqual([{ limit: 2 }]);
});
