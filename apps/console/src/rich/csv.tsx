// Draws comma- or tab-separated values as a table.

import { parseCsv } from "./parse-csv.ts";

const rowsMax = 500;

export default function Csv({ text, separator }: { readonly text: string; readonly separator: "," | "\t" }) {
  const [head = [], ...rows] = parseCsv(text, separator, rowsMax + 2);
  const classes = head.map((_, index) => (isNumeric(rows.map((cells) => cells[index] ?? "")) ? "number" : undefined));
  return (
    <>
      <table>
        <thead>
          <tr>
            {head.map((cell, index) => (
              <th key={index} scope="col" className={classes[index]}>
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, rowsMax).map((cells, row) => (
            <tr key={row}>
              {cells.map((cell, index) => (
                <td key={index} className={classes[index]}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > rowsMax && <p className="faint">The first {rowsMax} rows. Download the file for the others.</p>}
    </>
  );
}

/** Whether a column has figures, and nothing else. */
function isNumeric(cells: readonly string[]): boolean {
  return cells.some((cell) => cell !== "") && cells.every((cell) => /^(-?[\d.,]+ ?%?)?$/.test(cell.trim()));
}
