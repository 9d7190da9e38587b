// An ordinary user's worker in its own namespace. If the tests run as root, they run it as a user without any rights.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chownSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";
import { readMappedIds } from "@dari/native";

const program = fileURLToPath(new URL("./programs/own-namespace.ts", import.meta.url));
const endWithParent = pathToFileURL(resolve(import.meta.dirname, "../../../scripts/end-with-parent.mjs")).href;
const isRoot = process.getuid?.() === 0;
/** Without an account and without subordinate ids. */
const stranger = 42_420;
const user = isRoot ? stranger : process.getuid?.();
const asUser = isRoot
  ? ["setpriv", `--reuid=${stranger}`, `--regid=${stranger}`, "--clear-groups", "--"]
  : ["env", "--"];

/** Why these tests cannot run here. */
const missing = ((): string | undefined => {
  if (process.platform !== "linux") return "they are for Linux";
  const reads = spawnSync(asUser[0]!, [...asUser.slice(1), "test", "-r", program]);
  if (reads.status !== 0) return "another user cannot read this checkout, or setpriv (util-linux) is missing";
  const unshares = spawnSync(asUser[0]!, [...asUser.slice(1), "unshare", "--user", "--mount", "true"]);
  return unshares.status === 0 ? undefined : "this machine gives ordinary users no namespaces";
})();
const describeHere = missing === undefined ? describe : describe.skip;
if (missing !== undefined) process.stderr.write(`own-namespace.nightly.test.ts is left out: ${missing}\n`);

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "own-namespace-test-"));
  if (isRoot) chownSync(dir, stranger, stranger);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Said {
  readonly state: string;
  readonly reason: string;
  readonly advice: string;
  readonly user: number;
  readonly ids: readonly unknown[];
  readonly arguments: readonly string[];
  readonly own: Readonly<Record<string, string>>;
  readonly child: unknown;
  readonly agents: Readonly<Record<string, unknown>>;
  readonly mounts: string;
  readonly templates: string;
}

interface How {
  readonly before?: readonly string[];
  readonly flags?: readonly string[];
}

function start(words: readonly string[], o: How = {}): ChildProcess {
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", ...(o.flags ?? []), program, ...words];
  const [command, ...args] = [...(o.before ?? asUser), ...node];
  // What it compiles is in its own directory too.
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", TMPDIR: dir, HOME: dir };
  return spawn(command!, args, { env, cwd: "/", stdio: ["ignore", "pipe", "pipe", "pipe"] });
}

async function run(...given: Parameters<typeof start>): Promise<Said> {
  const child = start(...given);
  const [said, complaints] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
  expect(complaints).toBe("");
  return JSON.parse(said) as Said;
}

const none = { Eff: "0", Prm: "0", Amb: "0" };

describeHere("an ordinary user's program", () => {
  let said: Said;
  beforeAll(async () => {
    said = await run(["one", "two words"]);
  }, 120_000);

  test("mounts in its own namespace, as the same user and with the same arguments", () => {
    expect(said).toMatchObject({ state: "entered", user, arguments: ["one", "two words"] });
    expect(said).toMatchObject({ mounts: "arrive", templates: "fork" });
    expect(said.own["Eff"]).not.toBe("0");
  });

  test("gives its capabilities to no agent of any driver, and to no other program", () => {
    const { agents, child, own } = said;
    expect(own["Amb"]).toBe("0");
    expect(child).toEqual(none);
    expect(agents).toMatchObject({ bwrap: none, "bwrap, ahead": none, process: none });
    // If a runtime is installed that works for an ordinary user.
    if (typeof agents["oci"] === "object") expect(agents["oci"]).toEqual(none);
  });

  test("keeps its number, and the pipe that ends it with its parent", async () => {
    const child = start(["wait"], { flags: ["--import", endWithParent] });
    let said = "";
    child.stdout!.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise((resolveEnd) => child.once("exit", (code, signal) => resolveEnd({ code, signal })));
    await waitUntil(() => said.endsWith("\n"), { what: "the program to wait", timeoutMs: 100_000 });
    expect(said.trim()).toBe(String(child.pid));
    child.stdio[3]!.destroy();
    expect(await ended).toEqual({ code: null, signal: "SIGTERM" });
  }, 120_000);
});

/** The kernel refuses user namespaces to a process whose root directory is not that of its mount namespace. */
const inRoot = (root: string): string[] => [
  ...["unshare", "--mount", "sh", "-c"],
  `mount --rbind / ${root} && exec chroot --userspec=${stranger}:${stranger} --groups= ${root} "$@"`,
  "sh",
];
const hasOtherRoots = isRoot && spawnSync("unshare", ["--mount", "true"]).status === 0;

(hasOtherRoots ? describeHere : describe.skip)("where the kernel allows no namespace", () => {
  test("it runs as it was started, and knows why", async () => {
    const root = join(dir, "root");
    await mkdir(root);
    const { state, reason, own, mounts } = await run([], { before: inRoot(root) });
    expect({ state, reason }).toEqual({ state: "refused", reason: "unshare: Operation not permitted" });
    expect(own).toEqual(none);
    expect(mounts).not.toBe("arrive");
  }, 120_000);
});

test("ids besides the own one are those that are mapped as users and as groups", () => {
  const ids = readMappedIds();
  if (process.platform !== "linux" || !isRoot) return;
  expect(ids[0]).toMatchObject({ first: 1 });
});
