// Files of the bundle in the working directory: every turn sees them, and they are not part of the session's files.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { deploy, manifestFile } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { playScript, resultsOf, scriptAgent, type Step } from "../src/script.ts";

const shown = {
  "CLAUDE.md": "Be brief.\n",
  "AGENTS.md": "Be kind.\n",
  ".claude/skills/sum/SKILL.md": "# Sum\n",
  "skills/add/SKILL.md": "# Add\n",
  "docs/guide.md": "not shown\n",
} as const;
const skill = ".claude/skills/sum/SKILL.md";

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet();
  ({ agentId } = await deploy(fleet, { ...scriptAgent(), ...shown }));
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

let agentId: string;
async function did(session: string, ...steps: Step[]): Promise<{ results: unknown[]; changed: unknown[] }> {
  const record = await playScript(fleet, session, steps);
  return { results: resultsOf(record), changed: (record.files_changed ?? []).map(({ path }) => path) };
}

test("each turn sees them, and the session does not contain them", async () => {
  const { id } = await fleet.client.createSession(agentId);
  const files = ["CLAUDE.md", "AGENTS.md", skill, "skills/add/SKILL.md"] as const;
  const reads = files.map((path) => ["read", path] as const);
  for (const turn of ["1", "2"]) {
    expect(await did(id, ...reads, ["write", "own.txt", turn])).toEqual({
      results: [...files.map((path) => shown[path]), null],
      changed: ["/own.txt"],
    });
  }
  expect((await fleet.client.listSessionFiles(id)).entries.map(({ path }) => path)).toEqual(["/own.txt"]);
  expect((await did(id, ["list", "."])).results[0]).not.toContain("docs");
});

test("a file that the agent changes is the session's own, also in a fork; one that it deletes returns", async () => {
  const { id } = await fleet.client.createSession(agentId);
  const first = await did(id, ["append", "CLAUDE.md", "And clear.\n"], ["remove", "AGENTS.md"]);
  expect(first.changed).toEqual(["/CLAUDE.md"]);
  const fork = await fleet.client.forkSession(id);
  for (const session of [id, fork.id]) {
    const { results } = await did(session, ["read", "CLAUDE.md"], ["read", "AGENTS.md"], ["read", skill]);
    expect(results).toEqual(["Be brief.\nAnd clear.\n", shown["AGENTS.md"], shown[skill]]);
  }
});

test("a process that serves several turns of a session sees them in each", async () => {
  const runtime = { language: "typescript", reuse: "session" } as const;
  const manifest = manifestFile({ entrypoint: "src/agent.mjs:agent", runtime });
  const agent = await deploy(fleet, { ...scriptAgent(), ...manifest, ...shown });
  const { id } = await fleet.client.createSession(agent.agentId);
  for (const turn of ["1", "2", "3"]) {
    expect(await did(id, ["read", skill], ["write", "own.txt", turn])).toEqual({
      results: [shown[skill], null],
      changed: ["/own.txt"],
    });
  }
});

test("a failed turn stores none of them with its own files", async () => {
  const { id } = await fleet.client.createSession(agentId);
  const failed = await playScript(fleet, id, [
    ["write", "own.txt", "1"],
    ["throw", "on purpose"],
  ]);
  expect(failed.status).toBe("failed");
  const response = await fetch(`${fleet.apiUrl}/v1/messages/${failed.id}/attempts/1/files`, {
    headers: { authorization: `Bearer ${fleet.apiKey}` },
  });
  expect(JSON.stringify(await response.json())).not.toContain("CLAUDE.md");
});

test.each(["typescript", "python"] as const)("DARI_BUNDLE_DIR names the bundle of an agent in %s", async (language) => {
  const agent = language === "python" ? await deploy(fleet, scriptAgent({ language })) : { agentId };
  const { id } = await fleet.client.createSession(agent.agentId);
  const [found] = (await did(id, ["environment", "DARI_BUNDLE_DIR"])).results as string[][];
  // Where the driver has no mounts, it is the worker's own directory of the image.
  expect(found).toEqual([expect.stringMatching(/^\/agent$|\/images\/[0-9a-f]{64}\/tree$/)]);
});
