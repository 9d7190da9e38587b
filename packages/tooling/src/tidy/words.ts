// The words that give unclear text away, and how many of them each part of the repository still has.

import { packageOf, type RepositoryFile } from "./files.ts";

/** Words with a plain replacement: "the one who" or a noun, "again", "available", "it gets". */
const giveaways = /\b(whoever|anew|to be had|it is told)\b/gi;
/** A comment that begins like this is a fragment: write a sentence that says what it describes. */
const fragment = /(^|\s)(\/\/|\/\*\*?|#|--) +(Of|As|Until) /;
const commentLine = /^\s*(\/\/|\/\*\*?|\*|#|--)(\s|$)/;

/** Every giveaway in a text, as "path:line: word". */
export function giveawaysIn({ path, text }: RepositoryFile): string[] {
  const isDocument = path.endsWith(".md");
  let isContinued = false;
  return text.split("\n").flatMap((line, index) => {
    const found = line.match(giveaways) ?? [];
    const start = isDocument || isContinued ? undefined : fragment.exec(line)?.[3];
    isContinued = commentLine.test(line);
    const words = start === undefined ? found : [...found, `comment begins with ${start}`];
    return words.map((word) => `${path}:${index + 1}: ${word}`);
  });
}

/** The part of the repository that a file belongs to: a package, or the first folder of its path. */
export const partOf = (path: string): string => packageOf(path) ?? path.split("/")[0]!;

/** The most giveaways that each part may have. Lower a number when you rewrite a file; a part without one has none. */
export const giveawaysMax: Readonly<Record<string, number>> = {
  api: 20,
  contract: 5,
  control: 17,
  db: 11,
  docs: 1,
  harness: 3,
  lab: 17,
  native: 25,
  worker: 1,
  workspace: 5,
};
