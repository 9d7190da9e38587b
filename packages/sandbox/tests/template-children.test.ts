// Children of one template: they share nothing, and each has its own limits.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAuthority } from "@dari/gateway";
import { listening, waitUntil } from "@dari/testkit";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEgressHost, Redacted } from "@dari/domain";
import { findControlGroupDirs } from "../src/limits/control-groups.ts";
import { childrenOf, commandOf } from "./sandbox-fixture.ts";
import { noTemplates, openTemplates, type Child, type Template, type Templates } from "./template-fixture.ts";

const libc = "import ctypes, errno; libc = ctypes.CDLL(None, use_errno=True)";
const asks = `${libc}
def call(*words):
    answer = libc.syscall(*[ctypes.c_long(one) for one in words])
    return errno.errorcode[ctypes.get_errno()] if answer == -1 else answer
def status(pid):
    lines = [line.split() for line in open(f"/proc/{pid}/status")]
    return {line[0]: line[1] for line in lines if line[0][:3] in ("Cap", "NoN", "Sec")}
`;
/** Each by the number of its call on x86_64: a namespace in every way. */
const namespaces = `[call(272, flag) for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x8000000, 0x4000000)] +
 [call(56, flag | 17, 0, 0, 0, 0) for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x8000000, 0x4000000)] +
 [call(435, 0, 0), call(308, 0, 0)]`.replaceAll("\n", "");
const refusals = [...Array<string>(6).fill("EPERM"), ...Array<string>(6).fill("ENOSYS"), "ENOSYS", "EPERM"];

const testX64 = process.arch === "x64" ? test : test.skip;
const describeHere = noTemplates === undefined ? describe : describe.skip;
const because = noTemplates ? ` (${noTemplates})` : "";

describeHere(`two children of a template${because}`, () => {
  let templates: Templates;
  let template: Template;
  let one: Child;
  let other: Child;
  beforeAll(async () => {
    templates = await openTemplates();
    template = await templates.hold(`${asks}\nresult = [${namespaces}, status("self")]`);
    [one, other] = [await template.fork(), await template.fork()];
  });
  afterAll(() => templates.close());

  test("are called by other numbers, and see their own processes only", async () => {
    const numbers = [await one.ask("result = os.getpid()"), await other.ask("result = os.getpid()")];
    expect(new Set(numbers).size).toBe(2);
    await one.ask("import subprocess; kept = subprocess.Popen(['/usr/bin/sleep', '600'])");
    const seen = "result = [p for p in os.listdir('/proc') if p.isdigit()]";
    expect(await one.ask(seen)).toHaveLength(3);
    expect(await other.ask(seen)).toEqual(["1", String(numbers[1])]);
    const reached =
      "result = []\nfor n in range(1, 400):\n try:\n  os.kill(n, 0)\n  result.append(n)\n except OSError: pass";
    expect(await other.ask(reached)).toEqual([1, numbers[1]]);
    await one.ask("kept.kill(); kept.wait()");
  });

  test.each(["/tmp", "/dev/shm", "/workspace", "/state", "/dev/pts"])("have each their own %s", async (dir) => {
    const before = await other.ask(`result = sorted(os.listdir('${dir}'))`);
    const made = dir === "/dev/pts" ? "kept = os.openpty()" : `open('${dir}/made', 'w').write('mine')`;
    expect(await one.ask(made)).toBe(null);
    expect(await other.ask(`result = sorted(os.listdir('${dir}'))`)).toEqual(before);
    expect(await one.ask(`result = len(os.listdir('${dir}'))`)).toBe((before as string[]).length + 1);
  });

  testX64("hear nothing of each other by sockets, memory or queues", async () => {
    const listens = "kept = socket.socket(socket.AF_UNIX); kept.bind('\\0name'); kept.listen()";
    const serves = "also = socket.create_server(('127.0.0.1', 4711))";
    const shares =
      "result = [call(29, 42, 4096, 0o1666) >= 0, call(64, 42, 1, 0o1666) >= 0, call(68, 42, 0o1666) >= 0]";
    const queue = "result = libc.mq_open(b'/queue', os.O_CREAT | os.O_RDWR, 0o666, None) >= 0";
    for (const code of [listens, serves]) expect(await one.ask(code)).toBe(null);
    // POSIX queues, which the kernel counts per host user, are refused.
    expect([await one.ask(shares), await one.ask(queue)]).toEqual([[true, true, true], false]);
    for (const way of [
      "socket.socket(socket.AF_UNIX).connect('\\0name')",
      "socket.create_connection(('127.0.0.1', 4711))",
    ]) {
      expect(await other.ask(way)).toBe("Connection refused");
    }
    expect(await other.ask("result = [call(29, 42, 0, 0), call(64, 42, 0, 0), call(68, 42, 0)]")).toEqual(
      Array(3).fill("ENOENT"),
    );
    expect(await one.ask("kept.close(); also.close()")).toBe(null);
  });

  test("reach neither each other nor the template by signals", async () => {
    const third = await template.fork();
    // A group of number 1 cannot be addressed: that means all processes.
    const kills = "for group in (-1, -os.getpgid(0)):\n try:\n  os.kill(group, 9)\n except OSError: pass\n";
    expect(await third.ask(kills)).toBe(null);
    third.channel.write(`${JSON.stringify("os.kill(0, 9)")}\n`);
    expect(await third.exited).toEqual({ code: null, signal: "SIGKILL" });
    expect([await one.ask("result = 1"), await other.ask("result = 2")]).toEqual([1, 2]);
    expect(await (await template.fork()).ask("result = 3")).toBe(3);
    expect(await one.ask("result = [os.getsid(1), os.getpgid(1), os.getppid()]")).toEqual([1, 1, 1]);
  });

  testX64("have no keys, no capability, and no way to namespaces; nor had the template", async () => {
    const none = "0".repeat(16);
    const held = { "CapInh:": none, "CapPrm:": none, "CapEff:": none, "CapBnd:": none, "CapAmb:": none };
    const all = { ...held, "NoNewPrivs:": "1", "Seccomp:": "2" };
    const [ways, status] = template.said as [string[], object];
    expect([ways, status]).toEqual([refusals, expect.objectContaining(all)]);
    expect(await one.ask(`result = ${namespaces}`)).toEqual(refusals);
    for (const pid of ["self", "1"]) {
      expect(await one.ask(`result = status("${pid}")`)).toEqual(expect.objectContaining(all));
    }
    const [keys, ptrace] = ["call(250, 0, -3, 0)", "call(101, 16, 1, 0, 0)"];
    expect(await one.ask(`result = [${keys}, call(248, 0, 0, 0, 0, 0), call(249, 0, 0, 0, 0), ${ptrace}]`)).toEqual(
      Array(4).fill("EPERM"),
    );
    expect(await one.ask("result = open('/proc/sys/user/max_user_namespaces').read()")).toBe("0\n");
  });

  test("write to mounts of their own only", async () => {
    const template = writable(parentOf(one));
    const [mine, others] = [writable(one.pid), writable(other.pid)];
    expect([...mine.keys()].sort()).toEqual(["/dev/pts", "/dev/shm", "/state", "/tmp", "/workspace"]);
    for (const [place, mount] of mine) expect([template.get(place), others.get(place)]).not.toContain(mount);
    for (const [place, mount] of others) expect(template.get(place)).not.toBe(mount);
  });

  test("read the template's image and cannot write to it", async () => {
    const child = await template.fork();
    expect(await child.ask("result = os.listdir('/agent')")).toEqual([]);
    expect(await child.ask("open('/agent/new', 'w')")).toBe("Read-only file system");
    // Two flags: MNT_DETACH, MS_REMOUNT.
    for (const call of ["umount2(b'/agent', 2)", "mount(None, b'/agent', None, 32, None)"]) {
      expect(await child.ask(`result = libc.${call}`)).toBe(-1);
    }
  });

  test("have no descriptor of the template", async () => {
    const open = "result = sorted(set(os.listdir('/proc/self/fd')) - {str(os.open('.', 0))})";
    const fds = (await (await template.fork()).ask(open)) as string[];
    expect(fds.slice(0, 4)).toEqual(["0", "1", "2", "3"]);
    expect(fds.length).toBeLessThanOrEqual(5);
  });
});

/** Returns the parent of a child, which is the template. */
const parentOf = ({ pid }: Child): number =>
  Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);

/** Place → what is mounted there last, if it can be written to. Devices lead nowhere. */
function writable(pid: number): Map<string, string> {
  const last = new Map<string, string>();
  for (const line of readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n")) {
    const [, , device, root, place = "", options = ""] = line.split(" ");
    const isDevice = /^\/dev\/(null|zero|full|random|urandom|tty)$/.test(place);
    if (options.startsWith("rw") && !isDevice) last.set(place, `${device} ${root}`);
    else last.delete(place);
  }
  return last;
}

describeHere(`what lasts as long as the template${because}`, () => {
  test("is trusted by its children: a TLS context from before the fork works", async () => {
    const templates = await openTemplates();
    const here = hostname().toLowerCase();
    const authority = createAuthority([here]);
    const [placeholder, value] = ["dari_placeholder", "sk-value"];
    const seen: unknown[] = [];
    const server = createServer(
      { SNICallback: (_name, done) => done(null, authority.contextFor(here)) },
      ({ headers }, response) => void (seen.push(headers.authorization), response.end("hello")),
    );
    const port = await listening(server);
    try {
      const template = await templates.hold("import ssl, urllib.request; context = ssl.create_default_context()", {
        network: {
          policy: { mode: "off", rules: [{ kind: "service", name: here, port }] },
          secrets: [{ placeholder, value: new Redacted(value), hosts: [parseEgressHost(`${here}:${port}`)!] }],
          trusted: [authority.certificate],
        },
      });
      const asked = `urllib.request.Request('https://${here}:${port}/', headers={'Authorization': '${placeholder}'})`;
      const code = `result = urllib.request.urlopen(${asked}, context=context).read().decode()`;
      const children = [await template.fork(), await template.fork()];
      await children[0]!.kill();
      const last = await template.fork();
      expect([await children[1]!.ask(code), await last.ask(code), seen]).toEqual(["hello", "hello", [value, value]]);
    } finally {
      await templates.close();
      server.close();
      server.closeAllConnections();
    }
  });

  test("ends with the process that has started it, as its children do", async () => {
    const root = await mkdtemp(join(tmpdir(), "sandbox-fork-and-die-"));
    const program = fileURLToPath(new URL("./programs/fork-and-die.ts", import.meta.url));
    const starter = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: root },
    });
    try {
      const [said] = (await once(starter.stdout, "data")) as [Buffer];
      const pids = (JSON.parse(String(said)) as number[]).flatMap((pid) => [pid, ...childrenOf(pid)]);
      expect(pids.length).toBeGreaterThanOrEqual(5);
      expect(pids.filter((pid) => commandOf(pid) === "")).toEqual([]);
      starter.kill("SIGKILL");
      await waitUntil(() => pids.every((pid) => commandOf(pid) === ""), { what: "the end of all of them" });
    } finally {
      starter.kill("SIGKILL");
      // Unmount the slots that are still mounted.
      const places = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
      const left = places.map((line) => line.split(" ")[4] ?? "").filter((place) => place.startsWith(root));
      for (const place of left) execFileSync("umount", ["--lazy", place]);
      await rm(root, { recursive: true });
    }
  });
});

const hasGroups = (await findControlGroupDirs()) !== undefined;

describeHere.each(hasGroups ? [true, false] : [false])(
  `limits of children, control groups: %s${because}`,
  (controlGroups) => {
    let templates: Templates;
    beforeAll(async () => void (templates = await openTemplates({ controlGroups })));
    afterAll(() => templates.close());

    test("are each child's own: together they can use more", async () => {
      const limits = {
        memoryBytes: 256 * 2 ** 20,
        processes: 20,
        cpuSeconds: 2,
        diskBytes: 32 * 2 ** 20,
        openFiles: 64,
      };
      const template = await templates.hold("import mmap, subprocess, time", { limits });
      const children = [await template.fork(), await template.fork(), await template.fork()];
      const uses = [
        "kept = bytearray(os.urandom(1) * (120 << 20))",
        "more = [subprocess.Popen(['/usr/bin/sleep', '600']) for _ in range(12)]",
        "with open('/workspace/file', 'wb') as file: file.write(bytes(20 << 20)); os.fsync(file)",
        "files = [os.open('/', 0) for _ in range(40)]",
        "while time.process_time() < 1.2: pass",
      ];
      for (const code of uses) for (const child of children) expect(await child.ask(code)).toBe(null);
      const [one, two, three] = children as [Child, Child, Child];
      expect(await two.ask("result = [os.open('/', 0) for _ in range(40)]")).toBe("Too many open files");
      one.channel.write(`${JSON.stringify("while True: pass")}\n`);
      expect((await one.exited).signal).toBe("SIGKILL");
      const fills = "[also.write(bytes([1]) * (1 << 20)) for _ in range(200)]";
      two.channel.write(`${JSON.stringify(`also = mmap.mmap(-1, 200 << 20); ${fills}; signal.pause()`)}\n`);
      await two.exited;
      for (const each of [one, two, three]) await each.kill();
      expect((await one.collect()).exceeded).toBe("cpu");
      expect((await two.collect()).exceeded).toBe("memory");
      expect((await three.collect()).exceeded).toBe(undefined);
    }, 60_000);
  },
);
