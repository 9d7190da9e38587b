// Measuring what processes hold open, with the real kernel.

import { afterEach, expect, test } from "@jest/globals";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { measureOpenFiles, type OpenFiles } from "../src/limits/measure-open-files.ts";
import { measureTree } from "../src/limits/measure-process-tree.ts";

const MiB = 1024 ** 2;
/** A file without a name that is held open and mapped, among unimportant descriptors; then threads. */
const holds = `
import mmap, os, signal, sys, threading
one = os.open("gone", os.O_RDWR | os.O_CREAT)
os.unlink("gone")
os.write(one, bytes([1]) * (8 << 20))
kept = mmap.mmap(one, 8 << 20)
kept[:] = bytes([2]) * (8 << 20)
others = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
for _ in range(int(sys.argv[1])): threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
signal.pause()
`;

const started: ChildProcess[] = [];
let dir: string | undefined;
afterEach(async () => {
  for (const child of started.splice(0)) {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  if (dir !== undefined) await rm(dir, { recursive: true });
  dir = undefined;
});

async function startHolder(threads: number): Promise<number> {
  dir ??= await mkdtemp(join(tmpdir(), "open-files-"));
  const child = spawn("/usr/bin/python3", ["-I", "-S", "-c", holds, String(threads)], {
    cwd: dir,
    stdio: ["ignore", "pipe", "inherit"],
  });
  started.push(child);
  for await (const line of createInterface({ input: child.stdout! })) if (line === "ready") break;
  return child.pid!;
}

test("a file counts once, held open and mapped; if there are more than are read, it is reported", async () => {
  const pid = await startHolder(20);
  const all = await measureOpenFiles([pid]);
  expect(all).toMatchObject({ disk: { files: 1 }, isPartial: false });
  expect(all.disk.bytes).toBeGreaterThanOrEqual(8 * MiB);
  expect(all.disk.bytes).toBeLessThan(9 * MiB);
  // Its own descriptors come before those of its threads.
  const some = await measureOpenFiles([pid], new Set(), 1_000);
  expect(some).toMatchObject({ disk: all.disk, isPartial: true });
});

/** Returns what a worker finds that may not read mappings. */
async function measuredWithout(capabilities: string, pid: number): Promise<OpenFiles> {
  const module = JSON.stringify(new URL("../src/limits/measure-open-files.ts", import.meta.url).href);
  const script = `import(${module}).then((it) => it.measureOpenFiles([${pid}])).then(JSON.stringify).then(console.log)`;
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", "-e", script];
  const { stdout } = await promisify(execFile)("setpriv", [`--bounding-set=${capabilities}`, ...node], { env: {} });
  return JSON.parse(stdout) as OpenFiles;
}

const asRoot = process.getuid?.() === 0 ? test : test.skip;
asRoot("an open file counts once also if its mapping cannot be read", async () => {
  const pid = await startHolder(0);
  expect(await measuredWithout("-sys_admin,-checkpoint_restore", pid)).toEqual(await measureOpenFiles([pid]));
});

test("a measurement of processes stops above its limit, however many threads each has", async () => {
  const threads = 1_000;
  await startHolder(threads);
  expect((await measureTree(process.pid)).processes).toBeGreaterThan(threads);
  expect(await measureTree(process.pid, 5)).toMatchObject({ pids: [expect.any(Number)] });
});
