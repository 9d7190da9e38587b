// Agents that are loaded once and copied for each turn, from the user's point of view.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findService } from "@dari/testkit";
import { deploy, manifestFile, send, textOf } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ redisUrl: findService("redis")?.url });
  await fleet.client.putCredential("LAB_TEMPLATE", { value: "a secret of the template" });
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

const sources = {
  "a.py": `
import os, uuid
print("loaded with", os.environ["LAB_TEMPLATE"])
loaded = str(uuid.uuid4())
turns = 0
def agent(prompt):
    global turns
    turns += 1
    with open(f"turn-{turns}", "a") as file:
        file.write(prompt)
    return f"{loaded} {turns} {','.join(sorted(os.listdir('.')))}"
`,
  "a.mjs": `
import { randomUUID } from "node:crypto";
import { appendFileSync, readdirSync } from "node:fs";
console.log("loaded with", process.env.LAB_TEMPLATE);
const loaded = randomUUID();
let turns = 0;
export function agent(prompt) {
  turns += 1;
  appendFileSync("turn-" + turns, prompt);
  return [loaded, turns, readdirSync(".").sort()].join(" ");
}
`,
};
type Source = keyof typeof sources;
const all = Object.keys(sources) as Source[];

function filesOf(name: Source, runtime: Readonly<Record<string, unknown>>) {
  const manifest = { entrypoint: `${name}:agent`, secrets: ["LAB_TEMPLATE"], runtime };
  return { ...manifestFile(manifest), [name]: sources[name] };
}

interface Answer {
  readonly loaded: string;
  readonly rest: string;
  readonly messageId: string;
}

async function turn(sessionId: string): Promise<Answer> {
  const record = await send(fleet, sessionId, "x");
  const [loaded = "", ...rest] = textOf(record).split(" ");
  return { loaded, rest: rest.join(" "), messageId: record.id };
}

/** Sends turns to one session until two consecutive ones were loaded by one process, at most `most` turns. */
async function untilCopied(sessionId: string, most = 20): Promise<Answer | undefined> {
  let last = await turn(sessionId);
  for (let sent = 1; sent < most; sent++) {
    const next = await turn(sessionId);
    if (next.loaded === last.loaded) return next;
    last = next;
  }
  return undefined;
}

test.each(all)(
  "%s: turns of several sessions are copies of one, each with its own files, memory and log",
  async (name) => {
    const { agentId } = await deploy(fleet, filesOf(name, {}));
    const [his, hers] = [
      (await fleet.client.createSession(agentId)).id,
      (await fleet.client.createSession(agentId)).id,
    ];
    const copied = (await untilCopied(his))!;
    const other = await turn(hers);
    expect(other.loaded).toBe(copied.loaded);
    expect([copied.rest, other.rest]).toEqual(Array(2).fill("1 input,output,turn-1"));
    const log = await fleet.client.getMessageLogs(other.messageId);
    expect(log).toContain("loaded with");
    expect(log).not.toContain("a secret of the template");
    expect((await fleet.client.listSessionFiles(hers, { recursive: true })).entries).toMatchObject([{ size_bytes: 1 }]);
    await fleet.client.putCredential("LAB_TEMPLATE", { value: `another secret of ${name}` });
    expect((await turn(his)).loaded).not.toBe(copied.loaded);
  },
);

test.each(all)("%s: with runtime.load: every_turn each turn loads the agent itself", async (name) => {
  const { agentId } = await deploy(fleet, filesOf(name, { load: "every_turn" }));
  const session = (await fleet.client.createSession(agentId)).id;
  expect(await untilCopied(session, 6)).toBeUndefined();
});
