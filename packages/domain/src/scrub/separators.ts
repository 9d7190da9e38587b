// What can be between the pieces of a secret that was broken into lines: line ends, indentation, quotes, joining
// characters, and escaped line ends.

/** More consecutive separators mean two separate texts. UTF-16 units. */
export const separatorUnitsMax = 64;

const backslash = 0x5c;

/** Letters that mean a line end or a tab after a backslash. */
const escaped = new Set([..."nrt"].map((letter) => letter.charCodeAt(0)));

const isKept = new Uint8Array(128);
for (const sign of "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") isKept[sign.charCodeAt(0)] = 1;

/** Letters, digits and all characters beyond ASCII are not separators. `previous`: the unit before, 0 at the start. */
export function isSeparator(unit: number, previous: number): boolean {
  if (unit >= 128) return false;
  return isKept[unit] === 0 || (previous === backslash && escaped.has(unit));
}

export function withoutSeparators(text: string): string {
  let kept = "";
  let previous = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (!isSeparator(unit, previous)) kept += text[at];
    previous = unit;
  }
  return kept;
}
