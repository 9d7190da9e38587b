// Reads comma- or tab-separated values (RFC 4180) into rows. Draws nothing.

/** Returns at most `rowsMax` rows. A quoted value can contain separators, quotes and line breaks. */
export function parseCsv(text: string, separator: "," | "\t", rowsMax: number): readonly (readonly string[])[] {
  const rows: string[][] = [];
  let row: string[] = [];
  let value = "";
  let isQuoted = false;
  const endRow = (): void => {
    rows.push([...row, value]);
    row = [];
    value = "";
  };
  for (let at = 0; at < text.length && rows.length < rowsMax; at += 1) {
    const char = text[at] ?? "";
    if (isQuoted) {
      if (char !== '"') value += char;
      else if (text[at + 1] === '"') value += text[(at += 1)];
      else isQuoted = false;
    } else if (char === '"' && value === "") isQuoted = true;
    else if (char === separator) {
      row.push(value);
      value = "";
    } else if (char === "\n") endRow();
    else if (char !== "\r") value += char;
  }
  if (rows.length < rowsMax && (value !== "" || row.length > 0)) endRow();
  return rows;
}
