// Renders the raw output of a terminal as the lines that a person saw, without colours.

// eslint-disable-next-line no-control-regex
const sequences = /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-_]/g;

/** Removes escape sequences and carriage returns. The result only grows while output is appended. */
export function stripSequences(raw: string): string {
  return raw.replaceAll(sequences, "").replaceAll("\r", "");
}

/** Applies what programs do within a line: return to its start, move, clear and overwrite. */
export function renderLines(raw: string): string {
  const lines: string[] = [];
  let [line, column] = ["", 0];
  const tokens = new RegExp(`${sequences.source}|[^]`, "gu");
  for (const [token] of raw.matchAll(tokens)) {
    if (token === "\n") {
      lines.push(line.trimEnd());
      [line, column] = ["", 0];
    } else if (token === "\r") column = 0;
    else if (token === "\b") column = Math.max(0, column - 1);
    else if (token.startsWith("\u001b[")) [line, column] = applySequence(line, column, token);
    else if (token >= " ") {
      line = line.slice(0, column).padEnd(column) + token + line.slice(column + token.length);
      column += token.length;
    }
  }
  return [...lines, line.trimEnd()].join("\n");
}

function applySequence(line: string, column: number, sequence: string): [line: string, column: number] {
  const number = Number.parseInt(sequence.slice(2), 10);
  switch (sequence.at(-1)) {
    case "G":
      return [line, (number || 1) - 1];
    case "C":
      return [line, column + (number || 1)];
    case "D":
      return [line, Math.max(0, column - (number || 1))];
    case "J":
      return [line.slice(0, column), column];
    case "K":
      return [
        number === 2 ? "" : number === 1 ? " ".repeat(column) + line.slice(column) : line.slice(0, column),
        column,
      ];
    case undefined:
    default:
      return [line, column];
  }
}
