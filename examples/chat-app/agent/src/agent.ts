// The agent of the chat app. It counts the words of files, and asks before it publishes the result. It needs no model:
// it shows what a page can show of a turn.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The second argument that the platform passes, after the prompt. It has more fields than are used here. */
interface Context {
  /** The session's directory. Files written there are saved with the turn. */
  readonly workspace: string;
  /** What the message consists of. A file has its path in the session, and on this disk. */
  readonly parts: readonly { readonly path?: string; readonly local_path?: string }[];
  tool<Result>(name: string, args: object, run: () => Result | Promise<Result>): Promise<Result>;
  requestInput(key: string, schema: object, options?: { prompt?: string }): Promise<unknown>;
}

/** An answer with `approved` is a decision: the page shows it as two buttons. */
const decision = {
  type: "object",
  properties: { approved: { type: "boolean" }, reason: { type: "string" } },
  required: ["approved"],
};

export async function* agent(prompt: string, context: Context): AsyncGenerator<string> {
  const files = context.parts.flatMap(({ path, local_path: file }) => (path && file ? [{ path, file }] : []));
  if (/\bpublish\b/i.test(prompt)) {
    const { approved } = (await context.requestInput("publish", decision, { prompt: "Publish the report?" })) as {
      approved: boolean;
    };
    yield approved ? "The report is published." : "The report stays private.";
    return;
  }
  if (files.length === 0) {
    yield* slowly(
      `You said: ${prompt}\n\nAttach text files, and I count their words. Say "publish", and I ask you first.`,
    );
    return;
  }
  const lines: string[] = [];
  for (const { path, file } of files) {
    const words = await context.tool("count_words", { path }, async () => {
      const text = await readFile(file, "utf8");
      return text.split(/\s+/).filter((word) => word !== "").length;
    });
    lines.push(`${path}: ${words} words`);
  }
  await mkdir(join(context.workspace, "output"), { recursive: true });
  await writeFile(join(context.workspace, "output", "report.md"), `# Words\n\n${lines.join("\n")}\n`);
  yield* slowly(`${lines.join("\n")}\n\nThe report is in output/report.md.`);
}

/** Answers word by word, as a model does. */
async function* slowly(text: string): AsyncGenerator<string> {
  for (const piece of text.split(/(?<= )/)) {
    yield piece;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
