// The agents of docs/write-an-agent.md, each with a message and what it must answer. Tests run them without a platform
// and on one.

import { readFileSync } from "node:fs";

export interface PageAgent {
  readonly title: string;
  readonly language: "typescript" | "python";
  readonly source: string;
}

export interface PageCase {
  readonly prompt: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly answers?: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly parts?: readonly unknown[];
}

const page = new URL("../../../docs/write-an-agent.md", import.meta.url);

/** Returns every agent of the page: two for each title of `pageCases`. */
export function readPageAgents(): PageAgent[] {
  const [, ...sections] = readFileSync(page, "utf8").split(/^## /m);
  return sections.flatMap((section) => {
    const [title = ""] = section.split("\n");
    return [...section.matchAll(/^```(ts|py)\n([^]*?)^```$/gm)].map(([, fence, source = ""]) => ({
      title,
      language: fence === "ts" ? ("typescript" as const) : ("python" as const),
      source,
    }));
  });
}

/** A model's answer to the agent that calls one. */
export const pageModelAnswer = "It is sunny.";

/** By the title of the section. `operationKey` of the running message is written as `<key>`. */
export const pageCases: Readonly<Record<string, PageCase>> = {
  Answer: { prompt: "hi", text: "1: hi" },
  "Stream text": { prompt: "one two", text: "one two " },
  "Read and write files": {
    prompt: "count",
    files: { "a.txt": "one\ntwo" },
    text: "Done.",
    parts: [
      { type: "text", text: "Done." },
      { type: "file", path: "/report.md" },
    ],
  },
  "Call a model with a secret": { prompt: "How is the weather?", text: pageModelAnswer },
  "Ask for an approval": {
    prompt: "Pay 80 EUR",
    answers: { pay: { approved: true } },
    text: "Paid once, as <key>.pay.",
  },
  "Remember between turns": { prompt: "milk", text: '["milk"]' },
};
