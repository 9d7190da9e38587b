// Which programs can be templates, what happens to them, and what ends with what.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { randomUUID } from "node:crypto";
import { finished } from "node:stream/promises";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { findControlGroupDirs } from "../src/limits/control-groups.ts";
import { SandboxStartError } from "../src/index.ts";
import { readProcess } from "../src/processes/read-proc.ts";
import { forked } from "./child-driver.ts";
import { commandOf, descendantsOf } from "./sandbox-fixture.ts";
import { noTemplates, openTemplates, type Templates } from "./template-fixture.ts";

const places = await findControlGroupDirs();
/** The call numbers in this file are x86_64's. */
const isX64 = process.arch === "x64";
const libc = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)";
/** A system call filter that allows everything. */
const ownFilter = `${libc}
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]
code = bytes([6, 0, 0, 0, 0, 0, 0xff, 0x7f])
assert libc.syscall(317, 1, 0, ctypes.byref(Program(1, code))) == 0`;
/**
 * A fork in a restartable sequence: the kernel continues the child at the sequence's other end, where it makes its own
 * call instead of the intended one.
 */
const elsewhere = `${libc}
import mmap, struct
page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
base = ctypes.addressof(ctypes.c_char.from_buffer(page))
fork = b"\\x48\\xb8" + struct.pack("<Q", base + 64) + b"\\x48\\xa3" + struct.pack("<Q", base + 8)
fork += b"\\xb8\\x38\\0\\0\\0\\xbf" + struct.pack("<I", 0x1200011) + bytes.fromhex("31f631d24d31d24d31c00f05c3")
page[128:128 + len(fork)] = fork
page[64:96] = struct.pack("<IIQQQ", 0, 0, base + 128, len(fork), base + 256)
page[252:271] = struct.pack("<I", 0x53053053) + bytes.fromhex("3db40100007507b8180000000f05c3")
result = libc.syscall(334, ctypes.c_void_p(base), 32, 0, 0x53053053)
os.fork = ctypes.CFUNCTYPE(ctypes.c_long)(base + 128)`;
const ofMemory = "it would share";

/** In each case the code, of which \`told\` is run once it may fork. */
const refused: [title: string, code: string, why: string][] = [
  [
    "a thread",
    "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    "threads",
  ],
  ["an open file", "kept = open('/usr/bin/env')", "opened files"],
  ["a socket", "kept = socket.socket()", "opened files"],
  ["an open file for its input", "os.dup2(os.open('/usr/bin/env', 0), 0); os.close(4)", "opened files"],
  [
    "a view of others' files for its input",
    `${libc}\nkept = libc.inotify_init()\nos.dup2(kept, 0); os.close(kept)`,
    "opened files",
  ],
  ["a shared mapping", "import mmap\nkept = mmap.mmap(-1, 4096)", ofMemory],
  [
    "a mapping of a file",
    "import mmap\nwith open('/tmp/a', 'w+b') as f:\n f.write(b'a')\n f.flush()\n kept = mmap.mmap(f.fileno(), 0)",
    "opened files",
  ],
  [
    "memory of multiprocessing",
    "from multiprocessing import shared_memory\nkept = shared_memory.SharedMemory(create=True, size=9)",
    "started a process",
  ],
  ["a child process", "import subprocess\nkept = subprocess.Popen(['/usr/bin/sleep', '600'])", "started a process"],
  [
    "one that lost its parent",
    "import subprocess\nsubprocess.run(['/usr/bin/setsid', '--fork', '/usr/bin/sleep', '600'])",
    "started a process",
  ],
  ["a working directory", "place = '/tmp'", "directory"],
  [
    "a process at the last moment",
    "import subprocess\ntold = lambda: subprocess.Popen(['/usr/bin/sleep', '600'])",
    "starts processes",
  ],
  [
    "a thread at the last moment",
    "import threading\ntold = lambda: threading.Thread(target=print).start()",
    "starts processes",
  ],
  [
    "a process that nobody hears of",
    `${libc}\ntold = lambda: libc.syscall(56, 0x800000 | 17, 0, 0, 0, 0)`,
    "starts processes",
  ],
  [
    "a process in namespaces",
    `${libc}\ntold = lambda: libc.syscall(56, 0x10000000 | 0x1200011, 0, 0, 0, 0)`,
    "starts processes",
  ],
  ["a filter of its own", ownFilter, "filters of system calls"],
  ["an end", "told = lambda: os._exit(0)", "has ended"],
  ["a death", "told = lambda: os.abort()", "has ended"],
  ["no fork", "told = lambda: os.read(3, 1)", "the program did not fork within 5000 ms"],
];

(noTemplates === undefined ? describe : describe.skip)(`templates${noTemplates ? ` (${noTemplates})` : ""}`, () => {
  let templates: Templates;
  beforeAll(async () => void (templates = await openTemplates()));
  afterAll(() => templates.close());

  test.each(refused.filter(([, code]) => isX64 || !code.includes("syscall(")))(
    "a program with %s is not a template",
    async (_title, code, why) => {
      const template = await templates.make(code);
      expect(await template.held()).toContain(why);
      await template.kill();
      await expect(template.fork()).rejects.toThrow(TypeError);
    },
  );

  test("one that does other things between two forks is forked once", async () => {
    const template = await templates.hold("os.register_at_fork(after_in_parent=lambda: os.listdir('/tmp'))");
    const child = await template.fork();
    expect(await child.ask("result = 1")).toBe(1);
    await expect(template.fork()).rejects.toThrow(SandboxStartError);
    expect(await child.ask("result = 2")).toBe(2);
  });

  test("one that runs for ever after a fork does not delay its children's ends", async () => {
    const spins = "me = os.getpid()\ndef spin():\n while os.getpid() == me: pass\n";
    const template = await templates.hold(`${spins}os.register_at_fork(after_in_parent=spin)`);
    const child = await template.fork();
    child.channel.write(`${JSON.stringify("os._exit(3)")}\n`);
    expect(await child.exited).toEqual({ code: 3, signal: null });
    await expect(template.fork()).rejects.toThrow(SandboxStartError);
  });

  test.each([
    ["an exit code", "os._exit(7)", { code: 7, signal: null }],
    ["SIGKILL", "os.kill(os.getpid(), 9)", { code: null, signal: "SIGKILL" }],
    ["abort", "os.abort()", { code: null, signal: "SIGABRT" }],
    ["a segfault", "import ctypes; ctypes.string_at(0)", { code: null, signal: "SIGSEGV" }],
    [
      "the death of all that are beside it",
      "os.fork() or signal.pause(); os.kill(-1, 9); os._exit(5)",
      { code: 5, signal: null },
    ],
    ["a stop and a start", "os.kill(1, 19); os.kill(1, 18); os._exit(6)", { code: 6, signal: null }],
  ])("a child's end by %s is reported", async (_title, code, exit) => {
    const child = await (await templates.hold()).fork();
    child.channel.write(`${JSON.stringify(code)}\n`);
    expect(await child.exited).toEqual(exit);
  });

  test("one does not learn from its children's numbers what others have done", async () => {
    const counts =
      "numbers, take = [], os.fork\ndef count():\n numbers.append(take())\n return numbers[-1]\nos.fork = count";
    const template = await templates.hold(counts);
    for (let i = 0; i < 3; i++) await (await template.fork()).ask("[os.fork() or os._exit(0) for _ in range(20)]");
    expect(await (await template.fork()).ask("result = numbers")).toEqual([2, 2, 2, 0, expect.anything()]);
  });

  (isX64 ? test : test.skip)("a child that continues at another address never runs", async () => {
    const template = await templates.hold(elsewhere, { env: { GLIBC_TUNABLES: "glibc.pthread.rseq=0" } });
    expect(template.said).toBe(0);
    const fork = template.forkMute();
    await expect(fork).rejects.toThrow(SandboxStartError);
    await expect(fork).rejects.toMatchObject({ cause: { message: "EPERM" } });
  });

  describe("a read-only path in a directory that each child has for itself", () => {
    // To the sandbox, it is in its own /tmp, whose directories belong to its program.
    const above = `/tmp/sandbox-kept-${randomUUID()}`;
    const dir = `${above}/dir`;
    beforeAll(() => {
      mkdirSync(dir, { recursive: true });
      writeFileSync(`${dir}/file`, "kept");
    });
    afterAll(() => rmSync(above, { recursive: true }));
    const readOnlyPaths = [forked, dir];

    test.each([
      ["by itself", readOnlyPaths],
      ["with one of its files twice", [...readOnlyPaths, `${dir}/file`]],
    ])("is there, and cannot be written to: %s", async (_title, paths) => {
      const child = await (await templates.hold("", { readOnlyPaths: paths })).fork();
      expect(await child.ask(`result = open('${dir}/file').read()`)).toBe("kept");
      expect(await child.ask(`open('${dir}/more', 'w')`)).toBe("Read-only file system");
    });

    test.each([
      ["a directory of the template's", `os.makedirs('${dir}')`],
      ["a link", `os.symlink('/workspace', '${above}'); os.mkdir('/workspace/dir')`],
    ])("is not mounted over %s", async (_title, code) => {
      const template = await templates.hold(`os.rename('${above}', '/tmp/away')\n${code}`, { readOnlyPaths });
      await expect(template.fork()).rejects.toThrow(SandboxStartError);
    });
  });

  test("with a child nothing else ends; with the template all do", async () => {
    const template = await templates.hold();
    const [one, other] = [await template.fork(), await template.fork()];
    await one.kill();
    expect(await other.ask("result = 'there'")).toBe("there");
    const third = await template.fork();
    expect(await third.ask("result = 'there'")).toBe("there");
    const pids = [other, third].flatMap(({ pid }) => [pid, ...descendantsOf(pid)]);
    expect(pids).toHaveLength(4);
    await template.kill();
    expect(pids.map(commandOf)).toEqual(pids.map(() => ""));
    expect(await other.exited).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("a child that never takes its descriptors is killed like every other one", async () => {
    const template = await templates.hold("take = os.fork\nos.fork = lambda: take() or os.read(os.pipe()[0], 1)");
    const mute = await template.forkMute();
    const other = await template.forkMute();
    await mute.kill();
    expect(await mute.exited).toEqual({ code: null, signal: "SIGKILL" });
    expect(commandOf(other.pid)).not.toBe("");
    await finished(mute.channel.resume());
  });

  // For each, the program that forks holds its descriptors and its connection.
  test("forty children that have not taken their descriptors do not prevent the next fork", async () => {
    const template = await templates.hold("take = os.fork\nos.fork = lambda: take() or os.read(os.pipe()[0], 1)");
    const children = [];
    while (children.length < 41) children.push(await template.forkMute());
    expect(commandOf(children.at(-1)!.pid)).not.toBe("");
  });

  test("a child that sends signals without end takes no time from others", async () => {
    const template = await templates.hold("import time");
    const child = await template.fork();
    const holder = Number(/^TracerPid:\t(\d+)$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))![1]);
    const before = readProcess(holder)!.cpuTicks;
    await child.ask("end = time.time() + 1\nwhile time.time() < end: os.kill(1, signal.SIGUSR1)");
    // A second has a hundred ticks.
    expect(readProcess(holder)!.cpuTicks - before).toBeLessThan(15);
  });

  test("fifty forks leave nothing behind", async () => {
    const template = await templates.hold("", { limits: { memoryBytes: 2 ** 30, processes: 100 } });
    const leave = async (): Promise<void> => {
      const child = await template.fork();
      expect(await child.ask("result = 1")).toBe(1);
      await child.kill();
    };
    await leave();
    const before = whatIsThere(dirname(template.slotDir));
    for (let i = 0; i < 50; i++) await leave();
    // What the first has left may still be disappearing.
    const isAllGone = (): boolean => whatIsThere(dirname(template.slotDir)).every((one) => before.includes(one));
    await waitUntil(isAllGone, { what: "all of it to be gone" });
  }, 120_000);
});

/** Processes below this one, mounts of slots, descriptors of the native programs, and control groups. */
function whatIsThere(slots: string): string[] {
  const pids = descendantsOf(process.pid);
  const holders = pids.filter((pid) => commandOf(pid) === "dari-template");
  if (holders.length === 0) throw new Error("no program holds a template");
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n");
  const groups = [places?.memory, places?.processes, places?.cpu].flatMap((dir) => (dir ? readdirSync(dir) : []));
  return [
    ...pids.map((pid) => `${pid} ${commandOf(pid)}`),
    ...mounts.map((line) => line.split(" ")[4]!).filter((place) => place.startsWith(slots)),
    ...holders.flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((fd) => `${pid}/${fd}`)),
    ...groups.filter((name) => name.startsWith(`dari-${process.pid}-`)),
  ];
}
