// Walks a list from page to page.

import type { Page } from "./generated/models.ts";

export interface PageQuery {
  readonly limit?: number;
  readonly after?: string;
}

/** Returns every row of a list: `for await (const agent of eachRow((page) => client.listAgents(page)))`. */
export async function* eachRow<Row>(
  load: (page: PageQuery) => Promise<Pick<Page<Row>, "data" | "next">>,
  limit = 100,
): AsyncGenerator<Row> {
  let after: string | null = null;
  do {
    const page: Pick<Page<Row>, "data" | "next"> = await load(after === null ? { limit } : { limit, after });
    yield* page.data;
    after = page.next;
  } while (after !== null);
}
