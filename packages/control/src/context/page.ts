// Pages of lists as clients see them.

import type { Listed } from "@dari/db";
import { invalidField } from "@dari/domain";

/** A page of views; `next` is the cursor of the page after it, or null at the end. */
export interface PageOf<View> {
  readonly rows: View[];
  readonly next: string | null;
}

/** @throws AppError `invalid` when the cursor named no row. */
export function renderPage<Row, View>(listed: Listed<Row> | undefined, render: (row: Row) => View): PageOf<View> {
  if (listed === undefined) throw invalidField("after", "expected `next` of a page of this list");
  return { rows: listed.rows.map(render), next: listed.next };
}
