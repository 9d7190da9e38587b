// `npm start` by a user without any privileges: turns start as they do for root, and only the worker and its mount
// programs have a capability.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createClient } from "@dari/client";
import { waitUntil } from "@dari/testkit";
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { deploy, manifestFile, send, textOf, type Platform } from "../src/conversation.ts";
import { checkout } from "../src/program.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const isRoot = process.getuid?.() === 0;
/** PostgreSQL needs a user with a name. Every Linux has this one, which owns no files. */
const daemon = /^daemon:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"));
const ids = isRoot ? { uid: Number(daemon?.[1]), gid: Number(daemon?.[2]) } : { uid: process.getuid!(), gid: 0 };
const asUser = isRoot ? ["setpriv", `--reuid=${ids.uid}`, `--regid=${ids.gid}`, "--clear-groups", "--"] : [];

const missing = ((): string | undefined => {
  if (process.platform !== "linux") return "they are for Linux";
  const [command = "", ...args] = [...asUser, "test", "-r", path.join(checkout, "package.json")];
  if (spawnSync(command, args).status !== 0) {
    return "another user cannot read this checkout, or setpriv (util-linux) is missing";
  }
  const [unshare = "", ...words] = [...asUser, "bwrap", "--unshare-user", "--bind", "/", "/", "true"];
  return spawnSync(unshare, words).status === 0 ? undefined : "bubblewrap does not run here for an ordinary user";
})();
if (missing !== undefined) process.stderr.write(`ordinary-user.test.ts is left out: ${missing}\n`);

let dataDir = "";
let standalone: StandaloneProcess;
let platform: Platform;

(missing === undefined ? describe : describe.skip)("an ordinary user's platform", () => {
  beforeAll(async () => {
    dataDir = mkdtempSync(path.join(tmpdir(), "dari-ordinary-"));
    for (const dir of [dataDir, path.join(dataDir, "tmp")]) {
      mkdirSync(dir, { recursive: true });
      if (isRoot) chownSync(dir, ids.uid, ids.gid);
    }
    const own = { HOME: dataDir, TMPDIR: path.join(dataDir, "tmp"), DARI_LOG_LEVEL: "info" };
    standalone = await startStandalone(own, dataDir, asUser);
    platform = { ...standalone, client: createClient(standalone) };
  }, 180_000);

  afterAll(async () => {
    await standalone?.[Symbol.asyncDispose]();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  const script = { "a.js": scriptOf(), "package.json": '{"type":"module"}' };
  test.each([
    ["JavaScript", "a.js:agent", { language: "typescript" }, script],
    ["Python", "a.py:agent", {}, { "a.py": pythonOf() }],
  ])(
    "a sandbox waits for the next turn of an agent in %s",
    async (_, entrypoint, runtime, files) => {
      const { agentId } = await deploy(platform, { ...manifestFile({ entrypoint, runtime }), ...files });
      const session = await platform.client.createSession(agentId);
      const answers: string[] = [];
      const hasWaited = async (): Promise<boolean> => {
        const message = await send(platform, session.id, "go");
        answers.push(textOf(message));
        return logLines().some((line) => line["message"] === message.id && line["claim_ms"] !== undefined);
      };
      await waitUntil(hasWaited, { what: "a turn whose sandbox waited", timeoutMs: 60_000 });
      // The effective, permitted and ambient capabilities.
      expect(new Set(answers)).toEqual(new Set(["0 0 0"]));
    },
    180_000,
  );

  test("workspaces are overlays, sandboxes wait and agents are forked", () => {
    const said = logLines().map((line) => String(line["msg"]));
    const slow = said.filter((text) => /not_possible|workspaces are copied|no_template/.test(text));
    expect(slow).toEqual([]);
  });

  test("PostgreSQL, Redis and all else that it starts have no capabilities", async () => {
    expect(processesOf(ids.uid).map(({ name }) => name)).toContain("postgres");
    const ours = ["node", "MainThread", "dari-mount", "dari-start", "dari-template"];
    let privileged: string[] = [];
    // A sandbox that is being started drops its capabilities before its agent is loaded.
    const areOurs = (): boolean => {
      const found = processesOf(ids.uid).filter(({ capabilities }) => capabilities !== "0 0 0");
      privileged = found.map(({ name }) => name);
      return privileged.every((name) => ours.includes(name));
    };
    await waitUntil(areOurs, { what: "all other processes to drop their capabilities", timeoutMs: 20_000 });
    // Only one Node: the platform itself.
    expect(privileged.filter((name) => name === "node" || name === "MainThread")).toHaveLength(1);
  });
});

function logLines(): Record<string, unknown>[] {
  const text = readFileSync(path.join(dataDir, "logs", "dari.log"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function processesOf(uid: number): { name: string; capabilities: string }[] {
  const names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return names.flatMap((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "latin1");
      if (!new RegExp(`^Uid:\\s+${uid}\\s`, "m").test(status)) return [];
      return { name: /^Name:\s*(.*)$/m.exec(status)![1]!, capabilities: capabilitiesIn(status) };
    } catch {
      // The process has ended.
      return [];
    }
  });
}

function capabilitiesIn(status: string): string {
  return ["Eff", "Prm", "Amb"].map((set) => new RegExp(`^Cap${set}:\\s*0*(\\w+)$`, "m").exec(status)?.[1]).join(" ");
}

function scriptOf(): string {
  return `import { readFileSync } from "node:fs";
${capabilitiesIn.toString()}
export const agent = () => capabilitiesIn(readFileSync("/proc/self/status", "latin1"));
`;
}

function pythonOf(): string {
  return `import re
def agent(prompt):
    status = open("/proc/self/status").read()
    return " ".join(re.search(f"^Cap{one}:\\\\s*0*(\\\\w+)$", status, re.M)[1] for one in ("Eff", "Prm", "Amb"))
`;
}
