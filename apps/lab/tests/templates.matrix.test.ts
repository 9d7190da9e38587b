// Python agents that are loaded once and copied for each turn, from the user's point of view.

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

const source = `
import os, uuid
print("loaded with", os.environ["LAB_TEMPLATE"])
loaded = str(uuid.uuid4())
turns = 0
def agent(prompt):
    global turns
    turns += 1
    with open(f"turn-{turns}", "a") as file:
        file.write(prompt)
    return f"{loaded} {turns} {sorted(os.listdir('.'))}"
`;

function filesOf(runtime: Readonly<Record<string, unknown>>) {
  const manifest = { entrypoint: "a.py:agent", secrets: ["LAB_TEMPLATE"], runtime };
  return { ...manifestFile(manifest), "a.py": source };
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

test("turns of several sessions are copies of one, each with its own files, memory and log", async () => {
  const { agentId } = await deploy(fleet, filesOf({}));
  const [his, hers] = [(await fleet.client.createSession(agentId)).id, (await fleet.client.createSession(agentId)).id];
  const copied = (await untilCopied(his))!;
  const other = await turn(hers);
  expect(other.loaded).toBe(copied.loaded);
  expect([copied.rest, other.rest]).toEqual(Array(2).fill("1 ['input', 'output', 'turn-1']"));
  const log = await fleet.client.getMessageLogs(other.messageId);
  expect(log).toContain("loaded with");
  expect(log).not.toContain("a secret of the template");
  expect((await fleet.client.listSessionFiles(hers, { recursive: true })).entries).toMatchObject([{ size_bytes: 1 }]);
  await fleet.client.putCredential("LAB_TEMPLATE", { value: "another secret of the template" });
  expect((await turn(his)).loaded).not.toBe(copied.loaded);
});

test("with runtime.load: every_turn each turn loads the agent itself", async () => {
  const { agentId } = await deploy(fleet, filesOf({ load: "every_turn" }));
  const session = (await fleet.client.createSession(agentId)).id;
  expect(await untilCopied(session, 6)).toBeUndefined();
});
