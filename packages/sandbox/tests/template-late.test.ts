// Templates that do not answer, and forks that come too late.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { readdirSync, readFileSync } from "node:fs";
import { findControlGroupDirs } from "../src/limits/control-groups.ts";
import { LateForkError, SandboxStartError } from "../src/index.ts";
import { childrenOf, commandOf } from "./sandbox-fixture.ts";
import { noTemplates, openTemplates, type Child, type Template, type Templates } from "./template-fixture.ts";

const places = await findControlGroupDirs();
const testX64 = process.arch === "x64" ? test : test.skip;
const describeHere = noTemplates === undefined ? describe : describe.skip;

/**
 * From its second fork on: a fork in a restartable sequence. The kernel continues its child in an endless loop, instead
 * of the call that it should make.
 */
const spins = `import ctypes, mmap, struct
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
base = ctypes.addressof(ctypes.c_char.from_buffer(page))
code = b"\\x48\\xb8" + struct.pack("<Q", base + 64) + b"\\x48\\xa3" + struct.pack("<Q", base + 8)
code += b"\\xb8\\x38\\0\\0\\0\\xbf" + struct.pack("<I", 0x1200011) + bytes.fromhex("31f631d24d31d24d31c00f05c3")
page[128:128 + len(code)] = code
page[64:96] = struct.pack("<IIQQQ", 0, 0, base + 128, len(code), base + 256)
page[252:266] = struct.pack("<I", 0x53053053) + bytes.fromhex("3db40100007502ebfec3")
result = libc.syscall(334, ctypes.c_void_p(base), 32, 0, 0x53053053)
plain, spinning, forks = os.fork, ctypes.CFUNCTYPE(ctypes.c_long)(base + 128), []
os.fork = lambda: plain() if forks.append(1) or len(forks) == 1 else spinning()`;

describeHere(`late forks${noTemplates ? ` (${noTemplates})` : ""}`, () => {
  let templates: Templates;
  beforeAll(async () => void (templates = await openTemplates({ forkWithinMs: 1_000 })));
  afterAll(() => templates.close());

  /** Returns a template with one child, whose tracer is stopped, and the error of its next fork. */
  async function forkLate(): Promise<{ template: Template; one: Child; holder: number; error: LateForkError }> {
    const template = await templates.hold();
    const one = await template.fork();
    // Then the child has its descriptors.
    expect(await one.ask("result = 0")).toBe(0);
    const holder = told(one.pid, "TracerPid");
    process.kill(holder, "SIGSTOP");
    const error = await template.fork().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LateForkError);
    return { template, one, holder, error: error as LateForkError };
  }

  test("a late fork ends no other child, and the late child is ended with all that it has", async () => {
    const { one, holder, error } = await forkLate();
    expect(await one.ask("result = 1")).toBe(1);
    const before = groups();
    process.kill(holder, "SIGCONT");
    await error.settled;
    expect(await one.ask("result = 2")).toBe(2);
    const parent = told(one.pid, "PPid");
    await waitUntil(() => childrenOf(parent).join() === String(one.pid), { what: "the late child to be gone" });
    await waitUntil(() => groups().join() === before.join(), { what: "its groups to be gone" });
    process.kill(one.pid, "SIGKILL");
    expect(await one.exited).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("children of a template that never answers can be ended, and it with all that it has", async () => {
    const { template, one, error } = await forkLate();
    await one.kill();
    expect(await one.exited).toEqual({ code: null, signal: "SIGKILL" });
    const parent = told(one.pid, "PPid");
    await template.kill();
    await error.settled;
    expect([parent, one.pid].map(commandOf)).toEqual(["", ""]);
  });

  test("a fork that waits for others that are answered is not late", async () => {
    const template = await templates.hold();
    const children = await Promise.all(Array.from({ length: 120 }, () => template.fork()));
    expect(await children.at(-1)!.ask("result = 1")).toBe(1);
  }, 60_000);

  testX64(
    "a child that never comes to its next call is ended, and no other child is",
    async () => {
      const patient = await openTemplates();
      try {
        const template = await patient.hold(spins, { env: { GLIBC_TUNABLES: "glibc.pthread.rseq=0" } });
        expect(template.said).toBe(0);
        const one = await template.fork();
        const fork = template.forkMute();
        await expect(fork).rejects.toThrow(SandboxStartError);
        await expect(fork).rejects.toMatchObject({ cause: { message: "ETIMEDOUT" } });
        one.channel.write(`${JSON.stringify("os._exit(3)")}\n`);
        expect(await one.exited).toEqual({ code: 3, signal: null });
      } finally {
        await patient.close();
      }
    },
    30_000,
  );
});

/** Returns a number from the status of a process. */
function told(pid: number, name: string): number {
  return Number(new RegExp(`^${name}:\\t(\\d+)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}

/** The control groups of this process. */
function groups(): string[] {
  const all = [places?.memory, places?.processes, places?.cpu].flatMap((dir) => (dir ? readdirSync(dir) : []));
  return all.filter((name) => name.startsWith(`dari-${process.pid}-`)).sort();
}
