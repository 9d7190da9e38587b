// Finds the word that a person probably meant, for messages about unknown names.

const prefixCharsMin = 4;

/** Returns `; did you mean 'runtime'?`, or an empty string if no known word is similar. */
export function didYouMean(word: string, known: readonly string[]): string {
  const similar = closestWord(word, known);
  return similar === undefined ? "" : `; did you mean '${similar}'?`;
}

/** Returns the known word with the fewest different characters, at most a third of them, or one that starts alike. */
function closestWord(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  const most = (candidate: string): number => Math.ceil(Math.max(word.length, candidate.length) / 3);
  return similarWord(lower, known, most) ?? known.find((candidate) => startAlike(lower, candidate.toLowerCase()));
}

/** Returns the known word with the fewest typing errors, at most `most` of them. Ignores case. */
export function similarWord(
  word: string,
  known: readonly string[],
  most: (candidate: string) => number,
): string | undefined {
  const rated = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= most(candidate))
    .sort((one, other) => one.distance - other.distance);
  return rated[0]?.candidate;
}

function startAlike(one: string, other: string): boolean {
  const isLong = Math.min(one.length, other.length) >= prefixCharsMin;
  return isLong && (one.startsWith(other) || other.startsWith(one));
}

/** Counts insertions, deletions, replacements and swaps of neighbours. */
function editDistance(one: string, other: string): number {
  const rows = [Array.from({ length: other.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = rows[i - 1]![j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      const swapped = isSwap ? rows[i - 2]![j - 2]! + 1 : Infinity;
      row.push(Math.min(replaced, swapped, rows[i - 1]![j]! + 1, row[j - 1]! + 1));
    }
    rows.push(row);
  }
  return rows.at(-1)!.at(-1)!;
}
