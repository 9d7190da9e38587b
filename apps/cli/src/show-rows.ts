// Shows a list of the platform as a table: what every `list` command does.

import { eachRow, type Client, type Page, type PageQuery } from "@dari/client";
import type { Command } from "commander";
import { createContext, type Io } from "./context.ts";
import { collectRows } from "./options.ts";
import { table } from "./output.ts";

export interface RowsToShow<Row> {
  /** Loads one page. `call`: the options of the client's method. */
  load(api: Client, page: PageQuery, call: { readonly signal: AbortSignal }): Promise<Page<Row>>;
  /** Default: all rows. */
  readonly limit?: number;
  readonly headings: readonly string[];
  cells(row: Row): readonly string[];
}

/** Loads the first rows and writes them, as a table for people or as JSON. */
export async function showRows<Row>(io: Io, command: Command, o: RowsToShow<Row>): Promise<void> {
  const { output, client, signal } = createContext(io, command);
  const api = await client();
  const rows = await collectRows(
    eachRow((page) => o.load(api, page, { signal })),
    o.limit ?? Infinity,
  );
  output.result(rows, () => table(o.headings, rows.map(o.cells)));
}
