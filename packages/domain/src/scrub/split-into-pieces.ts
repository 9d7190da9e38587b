// The parts of a secret that are printed by themselves: lines of a key file, texts of a JSON document.

/** Too many texts contain shorter ones. UTF-16 units. */
const pieceUnitsMin = 16;
/** How many of a piece's units must be letters or digits. */
const pieceSignsMin = 8;

const marker = /^-----(BEGIN|END) [A-Z0-9 ]+-----$/;
const lineEnds = /[\r\n\u2028\u2029]|\\[rn]/;

/** Returns each piece once, without the value itself and without the frame of a key, which is not a secret. */
export function splitIntoPieces(value: string): Set<string> {
  const pieces = new Set<string>();
  for (const text of [value, ...textsOfJson(value)]) {
    const lines = text.split(lineEnds);
    if (lines.length === 1 && text === value) continue;
    for (const line of lines) {
      const piece = line.trim();
      if (piece.length < pieceUnitsMin || marker.test(piece)) continue;
      if (piece.replace(/[^0-9A-Za-z\u0080-\uffff]/g, "").length >= pieceSignsMin) pieces.add(piece);
    }
  }
  pieces.delete(value);
  return pieces;
}

/** Returns the texts of a value that is a JSON document. Addresses are not secrets. */
function textsOfJson(value: string): string[] {
  if (!/^[[{]/.test(value)) return [];
  const texts: string[] = [];
  const left: unknown[] = [parsed(value)];
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    if (typeof one === "string" && !/^https?:\/\/[^@]*$/.test(one)) texts.push(one.toWellFormed());
    if (typeof one === "object" && one !== null) left.push(...Object.values(one));
  }
  return texts;
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
