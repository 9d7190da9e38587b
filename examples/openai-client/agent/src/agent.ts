// A notebook: keeps each message as a note in a file, and counts the words of files with a tool. It needs no model.

import { appendFile, readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { defineAgent } from "@dari/agent";

export const agent = defineAgent(async function* (prompt, context) {
  // Takes as long as a difficult question does, until somebody cancels it.
  if (prompt === "Think hard") await wait(240_000, undefined, { signal: context.signal });
  for (const part of context.parts) {
    if (part.type !== "file" || part.local_path === undefined) continue;
    const file = part.local_path;
    const words = await context.tool("count_words", { path: part.path }, async () => {
      return (await readFile(file, "utf8")).trim().split(/\s+/).length;
    });
    yield `${part.path} has ${words} words. `;
  }
  await appendFile("notes.txt", `${prompt}\n`);
  const notes = (await readFile("notes.txt", "utf8")).trim().split("\n");
  yield `Notes: ${notes.join(", ")}.`;
});
