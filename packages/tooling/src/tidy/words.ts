// Words that indicate unclear text. No file may use them.

import type { RepositoryFile } from "./files.ts";

/** Words with a plain replacement: "the one who" or a noun, "again", "available", "it gets". */
const giveaways = /\b(whoever|anew|to be had|it is told)\b/gi;
/** A comment that begins like this is a fragment: write a sentence that says what it describes. */
const fragment = /(^|\s)(\/\/|\/\*\*?|#|--) +(Of|As|Until) /;
const commentLine = /^\s*(\/\/|\/\*\*?|\*|#|--)(\s|$)/;

/** Returns every giveaway in a text, as "path:line: word". */
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
