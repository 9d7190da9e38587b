// Walks a list from page to page.

export interface Page<Row> {
  readonly data: readonly Row[];
  readonly next: string | null;
}

export interface PageQuery {
  readonly limit?: number;
  readonly after?: string;
}

/** Every row of a list: `for await (const agent of eachRow((page) => client.listAgents(page)))`. */
export async function* eachRow<Row>(load: (page: PageQuery) => Promise<Page<Row>>, limit = 100): AsyncGenerator<Row> {
  let after: string | null = null;
  do {
    const page: Page<Row> = await load(after === null ? { limit } : { limit, after });
    yield* page.data;
    after = page.next;
  } while (after !== null);
}
