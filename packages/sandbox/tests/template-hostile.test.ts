// What code in a template, or in one of its children, does to get where it should not be, or to stay there.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { readFileSync } from "node:fs";
import { SandboxStartError } from "../src/index.ts";
import { childrenOf } from "./sandbox-fixture.ts";
import { noTemplates, openTemplates, type Templates } from "./template-fixture.ts";

const libc = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)";
const testX64 = process.arch === "x64" ? test : test.skip;

/** Continues from a copy of its interpreter, which the kernel's link of every process leads to. */
const ofAFile = `import shutil
if sys.executable != '/tmp/python':
 shutil.copy(os.path.realpath('/proc/self/exe'), '/tmp/python')
 os.execv('/tmp/python', ['/tmp/python', *sys.orig_argv[1:]])`;
const ofMemory = `fd = os.memfd_create('python')
if 'memfd' not in os.readlink('/proc/self/exe'):
 os.write(fd, open('/proc/self/exe', 'rb').read())
 os.execv(f'/proc/self/fd/{fd}', ['python', *sys.orig_argv[1:]])
os.close(fd)`;

/** How a library reads the number of threads, if the C library opens its file with this call. */
const asksWith = (fstat: string): string => `${libc}
name, room, at = ctypes.create_string_buffer(b"/proc/self/stat"), ctypes.create_string_buffer(512), os.getpid()
def ask():
 fd = libc.syscall(257, -100, name, 0)
 libc.syscall(${fstat})
 libc.syscall(0, fd, room, 512)
 libc.syscall(3, fd)
os.register_at_fork(after_in_parent=ask)`;

const describeHere = noTemplates === undefined ? describe : describe.skip;

describeHere(`hostile templates${noTemplates ? ` (${noTemplates})` : ""}`, () => {
  let templates: Templates;
  beforeAll(async () => void (templates = await openTemplates()));
  afterAll(() => templates.close());

  test.each([
    ["a file of its own", ofAFile],
    ["a file in memory", ofMemory],
  ])("a program that is executed from %s is not a template: children would find its file", async (_title, code) => {
    expect(await (await templates.make(code)).held()).toContain("its program can be written to");
  });

  test("one that waits for its children's ends is not a template: they would be lost", async () => {
    const template = await templates.make("told = lambda: signal.signal(signal.SIGCHLD, signal.SIG_DFL)");
    expect(await template.held()).toContain("children that have ended");
  });

  test("of children that have ended nothing is left below the template", async () => {
    const template = await templates.hold();
    const child = await template.fork();
    const parent = told(child.pid, "PPid");
    await child.kill();
    await waitUntil(() => childrenOf(parent).length === 0, { what: "the child to be gone" });
  });

  test.each([
    ["its tracer", "TracerPid"],
    ["the template", "PPid"],
  ])("with %s all children end, and are reported as dead", async (_title, who) => {
    const template = await templates.hold();
    const [one, other] = [await template.fork(), await template.fork()];
    process.kill(told(one.pid, who), "SIGKILL");
    for (const { exited } of [one, other]) expect(await exited).toEqual({ code: null, signal: "SIGKILL" });
    await template.exited;
    await expect(template.fork()).rejects.toThrow(SandboxStartError);
    await Promise.all([one.kill(), other.kill(), template.kill()]);
  });

  testX64.each([
    ["fstat", "5, fd, room"],
    ["newfstatat", "262, fd, b'', room, 0x1000"],
  ])("one that counts its threads, by %s, can still be forked", async (_title, fstat) => {
    const template = await templates.hold(asksWith(fstat));
    for (let i = 0; i < 3; i++) expect(await (await template.fork()).ask("result = 1")).toBe(1);
  });

  testX64.each([
    ["another file", 'b"/proc/self/statm", 0'],
    ["the name without its end", 'b"/proc/self/status", 0'],
    ["its state, to write to", 'b"/proc/self/stat", 1'],
  ])("one that opens %s between two forks is forked once", async (_title, what) => {
    const code = `${libc}\nos.register_at_fork(after_in_parent=lambda: libc.syscall(257, -100, ${what}))`;
    const template = await templates.hold(code);
    expect(await (await template.fork()).ask("result = 1")).toBe(1);
    await expect(template.fork()).rejects.toThrow("cannot execute");
  });

  test("a child that is killed while it sends signals without end is reported as dead", async () => {
    // It is the only process, and so dies at once.
    const floods = "take = os.fork\ndef flood():\n if take(): return 1\n while True: os.kill(1, signal.SIGUSR1)\n";
    const template = await templates.hold(`${floods}os.fork = flood`);
    for (let i = 0; i < 10; i++) {
      const child = await template.forkMute();
      const stops = (): number => told(child.pid, "voluntary_ctxt_switches");
      // By then, its tracer needs time for each of them.
      await waitUntil(() => stops() > 250, { what: "signals to arrive" });
      await child.kill();
      expect(await child.exited).toEqual({ code: null, signal: "SIGKILL" });
    }
  }, 60_000);
});

/** Returns a number from the status of a process. */
function told(pid: number, name: string): number {
  return Number(new RegExp(`^${name}:\\t(\\d+)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}
