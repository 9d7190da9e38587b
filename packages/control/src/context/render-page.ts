// Renders pages of lists for clients.

import type { ListPage } from "@dari/db";
import { invalidField } from "@dari/domain";

/** `next` is the cursor of the following page, or null at the end. */
export interface PageOf<View> {
  readonly rows: View[];
  readonly next: string | null;
}

/** @throws AppError `invalid` for an unknown cursor. */
export function renderPage<Row, View>(listed: ListPage<Row> | undefined, render: (row: Row) => View): PageOf<View> {
  if (listed === undefined) throw invalidField("after", "expected `next` of a page of this list");
  return { rows: listed.rows.map(render), next: listed.next };
}
