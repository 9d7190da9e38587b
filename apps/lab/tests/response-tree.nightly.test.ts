// Any tree of continuations by `previous_response_id`, with real turns that run at the same time: each branch has its
// own files and history, also after all others have gone on.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { seededRandom } from "../src/chaos/seeded-random.ts";
import { manifestFile } from "../src/conversation.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";
import { callApi } from "../src/ui-chat.ts";

/** Writes a file and a line for each message, and answers with all that it finds. */
const diary = {
  ...manifestFile({ name: "diary", entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
    const textOf = ({ parts }) => parts.map(({ text }) => text).join("");
    export function agent(prompt, { history }) {
      mkdirSync("days", { recursive: true });
      writeFileSync("days/" + prompt, prompt);
      appendFileSync("diary.txt", prompt + " ");
      const of = (wanted) => history.filter(({ role }) => role === wanted).map(textOf);
      return JSON.stringify({
        own: prompt,
        files: readdirSync("days").sort(),
        diary: readFileSync("diary.txt", "utf8").trim().split(" "),
        asked: of("user"),
        answered: of("assistant").map((text) => JSON.parse(text).own),
      });
    }`,
};

let platform: StandaloneProcess;
beforeAll(async () => {
  platform = await startStandalone();
  await deployFiles(platform, diary);
}, 180_000);
afterAll(async () => platform?.[Symbol.asyncDispose](), 120_000);

interface Node {
  readonly id: string;
  /** The names of the messages from the root to this one. */
  readonly path: readonly string[];
  readonly parent: string | null;
  readonly found: unknown;
}

/** Sends a message after `parent`, and returns what the agent finds. */
async function ask(name: string, parent: Node | undefined, fields: object = {}): Promise<Node> {
  const previous_response_id = parent?.id ?? null;
  const body = { model: "diary", input: name, previous_response_id, ...fields };
  const reply = await callApi(platform, "POST", "/openai/v1/responses", body);
  const path = [...(parent?.path ?? []), name];
  return { id: String(reply["id"]), path, parent: previous_response_id, found: foundIn(reply) };
}

function foundIn(reply: Readonly<Record<string, unknown>>): unknown {
  const [item] = (reply["output"] ?? []) as { content: { text: string }[] }[];
  if (reply["status"] !== "completed" || item === undefined) throw new Error(JSON.stringify(reply));
  return JSON.parse(item.content[0]?.text ?? "");
}

/** Returns what the agent must find at the end of a path. */
function expected(path: readonly string[]): unknown {
  const before = path.slice(0, -1);
  return { own: path.at(-1), files: [...path].sort(), diary: path, asked: before, answered: before };
}

/** Returns the nodes of a random tree. Each message is sent as soon as the one before it is answered. */
function growTree(seed: number, size: number): Promise<Node[]> {
  const random = seededRandom(seed);
  const nodes: Promise<Node>[] = [];
  for (let number = 0; number < size; number++) {
    // Many branches are long, because four of ten messages continue the newest one.
    const parent = random() < 0.4 ? nodes.at(-1) : nodes[Math.floor(random() * number)];
    nodes.push((async () => ask(`n${number}`, await parent))());
  }
  return Promise.all(nodes);
}

const countSessions = async (): Promise<number> => {
  const { data } = await callApi(platform, "GET", "/v1/sessions?limit=500");
  return (data as unknown[]).length;
};

/** DARI_TEST_SEED adds a tree. */
const seeds = [1, 2, ...(process.env["DARI_TEST_SEED"] ?? "").split(",").filter(Boolean).map(Number)];

test.each(seeds)(
  "seed %s: in a tree of 50 continuations, each branch has its own files and history",
  async (seed) => {
    const nodes = await growTree(seed, 50);
    const found = nodes.map(({ id, found: own }) => [id, own]);
    expect(found).toEqual(nodes.map(({ id, path }) => [id, expected(path)]));
    const before = await countSessions();
    // What a turn after each response finds now that all others have gone on.
    const looks = await Promise.all(nodes.map((node) => ask("look", node, { store: false })));
    expect(looks.map(({ found: own }) => own)).toEqual(looks.map(({ path }) => expected(path)));
    expect(await countSessions()).toBe(before);
    for (const { id, path, parent } of nodes) {
      const read = await callApi(platform, "GET", `/openai/v1/responses/${id}`);
      expect([id, read["previous_response_id"], foundIn(read)]).toEqual([id, parent, expected(path)]);
    }
  },
  300_000,
);
