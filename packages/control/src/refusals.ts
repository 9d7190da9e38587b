// The refusals that many verbs share, in one wording.

import type { Listed } from "@dari/db";
import { AppError } from "@dari/domain";

/** Unknown and foreign are one and the same to a caller. */
export function notFound(noun: string): AppError {
  return new AppError("not_found", `${noun} not found`);
}

export function invalidField(path: string, message: string): AppError {
  return new AppError("invalid", `${path}: ${message}`, { issues: [{ path, message }] });
}

/** The row that a query found. @throws AppError `not_found` */
export function found<Row>(row: Row | undefined, noun: string): Row {
  if (row === undefined) throw notFound(noun);
  return row;
}

/** A page of views; `next` is the cursor of the page after it, or null at the end. */
export interface PageOf<View> {
  readonly rows: View[];
  readonly next: string | null;
}

/** @throws AppError `invalid` when the cursor named no row. */
export function renderPage<Row, View>(listed: Listed<Row> | undefined, render: (row: Row) => View): PageOf<View> {
  if (listed === undefined) throw invalidField("after", "expected the `next` of a page of this list");
  return { rows: listed.rows.map(render), next: listed.next };
}
