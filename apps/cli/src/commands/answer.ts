// `dari message answer`: answers an input of a message.

import type { MessageRecord } from "@dari/contract";
import { limits } from "@dari/domain";
import type { Command } from "commander";
import { answerCommand } from "../answer-command.ts";
import { createContext, type Io } from "../context.ts";
import { invalid } from "../exit.ts";

interface AnswerOptions {
  readonly value?: string;
  readonly valueStdin?: boolean;
}

export function addAnswerCommand(message: Command, io: Io): void {
  message
    .command("answer <message> <key>")
    .description("answer the input that a message waits for; its turn then continues")
    .option("--value <json>", `the answer as JSON: true, '"text"', '{"approved": true}'`)
    .option("--value-stdin", "read the answer from standard input, as JSON")
    .action(async (id: string, key: string, options: AnswerOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const value = parseAnswer(await readAnswer(io, options));
      const record = await (await client()).answerInput(id, { key, value }, { signal });
      output.result(record, () => `${record.id} ${record.status}`);
    });
}

async function readAnswer(io: Io, { value, valueStdin = false }: AnswerOptions): Promise<string> {
  if ((value === undefined) === !valueStdin) throw invalid("give the answer with --value or with --value-stdin");
  if (value !== undefined) return value;
  let bytes = 0;
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) {
    chunks.push(Buffer.from(chunk as Uint8Array));
    bytes += (chunk as Uint8Array).length;
    if (bytes > limits.inputAnswerBytes) {
      throw invalid(`the answer is larger than ${limits.inputAnswerBytes / 1024} KiB; send a shorter one`);
    }
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseAnswer(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw invalid(`the answer is not JSON; text needs its quotes: --value '"yes"'`);
  }
}

/** Renders the inputs that a message waits for, and how to answer them; empty if there are none. */
export function renderWaiting({ id, inputs = [] }: Pick<MessageRecord, "id" | "inputs">): string[] {
  const [waiting] = inputs.filter(({ status }) => status === "waiting");
  if (waiting === undefined) return [];
  const { key, prompt, schema, expires_at } = waiting;
  return [
    `waits for ${key} until ${expires_at}${prompt === null ? "" : `: ${prompt}`}`,
    `schema    ${JSON.stringify(schema)}`,
    `answer    ${answerCommand(id, waiting)}`,
  ];
}
