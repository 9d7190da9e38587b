// A list as a table. The first cell of a row can be its link, and j and k move between these links.

import type { ReactNode } from "react";
import type { LoadedList } from "../data/load.ts";
import { ErrorNote, Loading } from "./notes.tsx";

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** Hidden in a narrow window. */
  readonly isMinor?: boolean;
  /** A column of numbers, aligned to the right. */
  readonly isNumber?: boolean;
  /** Takes the width that the other columns leave. The texts of the cells after it are cut. */
  readonly isWide?: boolean;
  /** A column of buttons, with its title only for screen readers. */
  readonly isAction?: boolean;
}

interface TableProps<Row> {
  readonly label: string;
  readonly list: LoadedList<Row>;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  /** Shown instead of a table without rows. */
  readonly empty: ReactNode;
}

export function Table<Row>({ label, list, columns, keyOf, empty }: TableProps<Row>) {
  const { rows, error, more, reload } = list;
  if (error !== undefined && rows === undefined) return <ErrorNote error={error} retry={reload} />;
  if (rows === undefined) return <Loading />;
  if (rows.length === 0 && more === undefined) return <>{empty}</>;
  if (rows.length === 0) return <SearchOn more={more} />;
  return (
    <>
      <ErrorNote error={error} retry={reload} />
      <table aria-label={label} className={needsCards(columns) ? "cards" : undefined}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" className={classOf(column)}>
                {column.isAction === true ? <span className="unsaid">{column.title}</span> : column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column) => (
                <td key={column.title} className={classOf(column)} data-title={column.title}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {more && (
        <button type="button" className="more" onClick={more}>
          Show more
        </button>
      )}
    </>
  );
}

/** Columns that fit beside each other in a narrow window. */
const narrowColumns = 3;

/** Whether a narrow window shows each row as a card, with a line for each cell. */
function needsCards<Row>(columns: readonly Column<Row>[]): boolean {
  const shown = columns.filter(({ isMinor }) => isMinor !== true);
  return shown.length > narrowColumns || shown.some(({ isAction }) => isAction === true);
}

/** Nothing was found in the newest rows. */
function SearchOn({ more }: { readonly more: (() => void) | undefined }) {
  return (
    <div className="empty">
      <h2>Nothing found so far</h2>
      <button type="button" onClick={more}>
        Search further
      </button>
    </div>
  );
}

function classOf<Row>({ isMinor, isNumber, isWide, isAction }: Column<Row>): string | undefined {
  const classes = [
    isMinor === true && "minor",
    isNumber === true && "number",
    isWide === true && "wide-cell",
    isAction === true && "action",
  ].filter(Boolean);
  return classes.length === 0 ? undefined : classes.join(" ");
}
