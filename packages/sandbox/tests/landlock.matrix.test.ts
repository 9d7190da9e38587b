// What a program under landlock is refused, and that nothing of it is left, whichever process dies first.

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { probeCandidate, testGuarantee, testCoversSecurityTable } from "@dari/testkit/test-guarantee";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chmod, link, lstat, mkdir, readdir, rename, symlink, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type ListenOptions, type Server } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createLandlockDriver, type SandboxSpec } from "../src/index.ts";
import { countSleepers, makeSlot, nextSaid, specFor, withSandbox } from "./sandbox-fixture.ts";

const driver = createLandlockDriver();
const probe = await driver.probe();
const program = fileURLToPath(new URL("./programs/escapes.mjs", import.meta.url));
/** Elsewhere the kernel allows all processes of the worker's user. */
const counted = probe.ok && probe.guarantees.limits.processes === "per_sandbox" ? test : test.skip;
const proxied = { policy: { mode: "open", rules: [] } } as const;

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
});
afterEach(() => slot.remove());

const python = "/usr/bin/python3";
/**
 * Shows what two sockets are bound to, and the results of binding one to another device, to none, and of a raw socket.
 */
const untie = `
import errno, json, os, socket
one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
other = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
tie = 25
def name(s): return s.getsockopt(socket.SOL_SOCKET, tie, 16).rstrip(b"\\0").decode()
def attempt(action):
    try: return action()
    except OSError as error: return errno.errorcode[error.errno]
said = [name(one), name(other), attempt(lambda: one.setsockopt(socket.SOL_SOCKET, tie, b"eth0\\0"))]
said += [name(one), attempt(lambda: one.setsockopt(socket.SOL_SOCKET, tie, b"\\0"))]
os.write(3, (json.dumps(said) + "\\n").encode())
`;

/** Starts processes until the limit is reached. */
const multiply = `
import os, signal
while True:
    try: made = os.fork()
    except OSError: break
    if made == 0: break
if made != 0: os.write(3, b'"no more"\\n')
signal.pause()
`;

/** A socket with this name, visible to all, holds its place. */
function isTaken(user: number): boolean {
  return readFileSync("/proc/net/unix", "latin1").includes(`@dari-sandbox-user-${user}\n`);
}

type Attempt = readonly [verb: string, ...args: unknown[]];

/** Returns the result of each attempt. */
async function attempts(list: readonly Attempt[], overrides: Partial<SandboxSpec> = {}): Promise<unknown[]> {
  const argv = [process.execPath, program, JSON.stringify(list)];
  return withSandbox(driver, specFor(slot, [], { argv, ...overrides }), async (sandbox) => {
    await sandbox.claim();
    return (await nextSaid(sandbox)) as unknown[];
  });
}

/** Returns each attempt with its result. */
async function answers(list: readonly Attempt[], overrides?: Partial<SandboxSpec>): Promise<[string, unknown][]> {
  const said = await attempts(list, overrides);
  return list.map((one, index) => [one.join(" "), said[index]]);
}

function all(list: readonly Attempt[], word: unknown): [string, unknown][] {
  return list.map((one) => [one.join(" "), word]);
}

async function listening(server: Server, where: ListenOptions): Promise<AddressInfo> {
  server.listen(where);
  await once(server, "listening");
  return server.address() as AddressInfo;
}

(probe.ok ? describe : describe.skip)("files", () => {
  testGuarantee("modes", "landlock")("another session's are not to be read, changed or looked at", async () => {
    const other = await makeSlot();
    try {
      await withSandbox(driver, specFor(other, ["echo"]), async (sandbox) => {
        await writeFile(join(other.slotDir, "workspace", "notes"), "private");
        await sandbox.claim();
        const notes = join(other.slotDir, "workspace", "notes");
        const list: Attempt[] = ["read", "write", "mode", "times", "look"].map((verb) => [verb, notes]);
        list.push(["list", join(other.slotDir, "workspace")], ["list", other.slotDir], ["mode", other.slotDir]);
        const said = await answers(list);
        expect(said.filter(([, word]) => word !== "EACCES" && word !== "EPERM")).toEqual([]);
      });
    } finally {
      await other.remove();
    }
  });

  test("the host's are not to be opened, however they are named", async () => {
    const list: Attempt[] = [
      ...["/etc/shadow", "/etc/hostname", fileURLToPath(import.meta.url), `/proc/${process.pid}/cmdline`],
      ...[`/proc/${process.pid}/environ`, `/proc/${process.pid}/status`, "/proc/1/cmdline", "/sys/kernel/notes"],
    ].map((path) => ["read", path]);
    list.push(["list", "/"], ["list", "/proc"], ["list", "/etc"], ["list", "/tmp"], ["list", "/root"]);
    list.push(["readLinked", "/etc/shadow", "soft-shadow"], ["readLinked", "/proc/1/environ", "soft-environ"]);
    expect(await answers(list)).toEqual(all(list, "EACCES"));
  });

  const showsSysctl = testGuarantee("sysctl", "landlock");
  showsSysctl("the image is read and run, and nothing is changed but the program's own directories", async () => {
    const image = join(slot.imageDir, "agent.txt");
    const places = ["/tmp/x", "/dev/shm/x", "/var/tmp/x", "/usr/x", "/etc/x", "/dev/x", join(slot.slotDir, "x")];
    const closed = [...places, image, join(slot.imageDir, "x"), process.execPath, "/proc/sys/kernel/core_pattern"];
    const list: Attempt[] = closed.map((path) => ["write", path]);
    expect((await answers(list)).filter(([, word]) => word !== "EACCES" && word !== "EROFS")).toEqual([]);
    const changes: Attempt[] = [image, slot.imageDir, process.execPath, "/etc/passwd"].flatMap((path): Attempt[] => [
      ["mode", path],
      ["times", path],
    ]);
    expect(await answers(changes)).toEqual(all(changes, "EPERM"));
    const tmp = join(slot.slotDir, "tmp", "a");
    const open: Attempt[] = [
      ["read", image],
      ["write", "a"],
      ["write", tmp],
      ["write", join(slot.slotDir, "state/a")],
    ];
    open.push(["move", "a", join(slot.slotDir, "state/b")], ["run", "/usr/bin/true"], ["read", "/proc/self/status"]);
    expect(await answers(open)).toEqual(all(open, "done"));
    expect(await readdir(slot.slotDir)).toEqual(["state", "workspace"]);
  });

  test("no hard link leads out of the workspace", async () => {
    const targets = ["/etc/passwd", "/usr/bin/env", join(slot.imageDir, "agent.txt"), process.execPath];
    const list: Attempt[] = targets.map((target, index) => ["hardLink", target, `link-${index}`]);
    const said = await answers(list);
    expect(said.filter(([, word]) => !["EACCES", "EPERM", "EXDEV"].includes(String(word)))).toEqual([]);
  });

  test("what was restored becomes the program's, and what a link in it points to does not", async () => {
    const workspace = join(slot.slotDir, "workspace");
    const outside = join(slot.imageDir, "agent.txt");
    await mkdir(join(workspace, "deep", "er"), { recursive: true });
    await writeFile(join(workspace, "deep", "er", "file"), "");
    await chmod(join(workspace, "deep", "er", "file"), 0o600);
    // Like an image's dependencies in a build's tree.
    await link(outside, join(workspace, "hard"));
    await symlink(outside, join(workspace, "soft"));
    await symlink(slot.imageDir, join(workspace, "soft-dir"));
    expect(
      await attempts([
        ["write", "deep/er/file"],
        ["mode", "soft"],
        ["mode", "soft-dir"],
      ]),
    ).toEqual(["done", "EPERM", "EPERM"]);
    expect((await lstat(outside)).uid).toBe(0);
  });
});

(probe.ok ? describe : describe.skip)("processes", () => {
  const showsUser = testGuarantee(["signals", "kernel-counts"], "landlock");
  showsUser("a program has its own user, no capability, and cannot signal another", async () => {
    const other = await makeSlot();
    try {
      const argv = [process.execPath, program, JSON.stringify([["user"]])];
      await withSandbox(driver, specFor(other, [], { argv }), async (sandbox) => {
        const user = await nextSaid(sandbox);
        const list: Attempt[] = [["user"], ["signal", process.pid], ["signal", sandbox.pid], ["signal", 1]];
        const [mine, ...signals] = await attempts(list);
        expect(mine).not.toBe(0);
        expect([mine]).not.toEqual(user);
        expect(signals).toEqual(["EPERM", "EPERM", "EPERM"]);
      });
    } finally {
      await other.remove();
    }
    const argv = ["/usr/bin/grep", "-E", "^(Cap(Inh|Eff|Prm|Bnd|Amb)|NoNewPrivs|Groups)", "/proc/self/status"];
    await withSandbox(driver, specFor(slot, [], { argv }), async (sandbox) => {
      const lines = (await text(sandbox.stdout)).trim().split("\n");
      const words = lines.map((line) => line.split(/:\s*/));
      expect(words.map(([, value]) => value!.trim())).toEqual(["", ...Array<string>(5).fill("0".repeat(16)), "1"]);
    });
  });

  test("daemons end with their turn even if the program that watches them was killed", async () => {
    const seconds = `4100.${process.hrtime.bigint()}`;
    await withSandbox(driver, specFor(slot, ["daemons", seconds]), async (sandbox) => {
      expect(await nextSaid(sandbox)).toBe("started");
      await waitUntil(() => countSleepers(seconds) === 50, { what: "50 sleepers" });
      process.kill(sandbox.pid, "SIGKILL");
      await sandbox.exited;
      await sandbox.kill();
      expect(countSleepers(seconds)).toBe(0);
    });
  });

  counted("a program that leaves no room for one more process is ended at once", async () => {
    const argv = [python, "-I", "-c", multiply];
    await withSandbox(driver, specFor(slot, [], { argv, limits: { processes: 40 } }), async (sandbox) => {
      expect(await nextSaid(sandbox)).toBe("no more");
      const start = performance.now();
      await sandbox.kill();
      // Long before another process must help.
      expect(performance.now() - start).toBeLessThan(20_000);
    });
  });

  test("daemons die with the worker", async () => {
    const seconds = `4200.${process.hrtime.bigint()}`;
    const script = fileURLToPath(new URL("./programs/start-and-die.ts", import.meta.url));
    const argv = ["--disable-warning=ExperimentalWarning", script, slot.slotDir, slot.imageDir, seconds];
    const worker = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(worker.stdout, "data");
      await waitUntil(() => countSleepers(seconds) === 50, { what: "all sleepers" });
    } finally {
      worker.kill("SIGKILL");
    }
    await waitUntil(() => countSleepers(seconds) === 0, { what: "no sleeper" });
  });

  test.each([
    ["what container engines leave", ["chown", "dac_override", "fowner", "setgid", "setuid"], undefined],
    ["no way to become another user", ["chown", "dac_override", "fowner"], /cannot become user|cannot leave groups/],
    ["no way to change what is not its own", ["chown", "setgid", "setuid"], /DAC_OVERRIDE, FOWNER/],
  ])("a worker with the capabilities of %s", async (_title, capabilities, reason) => {
    const left = ["-all", ...capabilities.map((name) => `+${name}`)].join(",");
    const found = await probeBy(["/usr/bin/setpriv", "--no-new-privs", "--inh-caps=-all", `--bounding-set=${left}`]);
    expect(found).toEqual(
      reason === undefined
        ? expect.objectContaining({ ok: true })
        : { ok: false, reason: expect.stringMatching(reason) },
    );
  });

  test("says why it cannot be used by a worker that is not root", async () => {
    const found = await probeBy(["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    expect(found).toEqual({ ok: false, reason: expect.stringMatching(/as root/) });
  });
});

/** Returns what a process finds that was started with `launcher`. */
async function probeBy(launcher: readonly string[]): Promise<unknown> {
  const index = new URL("../src/index.ts", import.meta.url);
  const script = `import { createLandlockDriver } from ${JSON.stringify(index.href)};
    console.log(JSON.stringify(await createLandlockDriver().probe()));`;
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
  const [command, ...args] = [...launcher, ...node];
  const child = spawn(command!, args, { cwd: "/", stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(await text(child.stdout));
}

(probe.ok ? describe : describe.skip)("the network", () => {
  const showsSockets = testGuarantee("unix-sockets", "landlock");
  showsSockets("nothing that listens on the host is reached, by TCP, by datagrams or by a path", async () => {
    const servers = [createServer(), createServer(), createServer()] as const;
    const path = join(slot.imageDir, "service.sock");
    const { port } = await listening(servers[0], { port: 0, host: "0.0.0.0" });
    await listening(servers[1], { path });
    await listening(servers[2], { path: `\0sandbox-test-${process.pid}` });
    await chmod(path, 0o777);
    try {
      const list: Attempt[] = [
        ["connect", "127.0.0.1", port],
        ["connect", "::1", port],
        ["connect", "169.254.169.254", 80],
        ["datagram"],
      ];
      const paths: Attempt[] = [
        ["connectPath", path],
        ["connectPath", `\0sandbox-test-${process.pid}`],
      ];
      for (const network of ["none", proxied] as const) {
        expect(await answers(list, { network })).toEqual(all(list, "EACCES"));
        expect(await attempts(paths, { network })).toEqual(["EAFNOSUPPORT", "EAFNOSUPPORT"]);
      }
      expect(await attempts([["connect", "127.0.0.1", port], ...paths], { network: "open" })).toEqual([
        "connected",
        "EAFNOSUPPORT",
        "EAFNOSUPPORT",
      ]);
    } finally {
      for (const server of servers) server.close();
    }
  });

  test("names are resolved with the host's own files", async () => {
    const code =
      "require('dns').lookup('localhost', 4, (e, a) => require('fs').writeSync(3, `${JSON.stringify(e ?? a)}\\n`))";
    const spec = specFor(slot, [], { argv: [process.execPath, "-e", code] });
    expect(await withSandbox(driver, spec, nextSaid)).toBe("127.0.0.1");
  });

  test("a socket is tied to the loopback device, whatever its owner does", async () => {
    const argv = [python, "-I", "-c", untie];
    const said = await withSandbox(driver, specFor(slot, [], { argv, network: proxied }), nextSaid);
    expect(said).toEqual(["lo", "lo", "EPERM", "lo", "EPERM"]);
  });

  test("a program reaches its own server, which can use any free port, and no other program's", async () => {
    const list: Attempt[] = [["ownServer"], ["listenAt", 5432], ["listenAt", 6379], ["listenAt", 40_404]];
    expect(await attempts(list)).toEqual(["connected", "EACCES", "EACCES", "EACCES"]);
  });
});

(probe.ok ? test : test.skip)("a place is given back also where what is left cannot be tidied", async () => {
  const sandbox = await driver.prepare(specFor(slot, [], { argv: ["/bin/sh", "-c", "echo 1 >&3; exec sleep 1000"] }));
  await nextSaid(sandbox);
  const { uid } = await lstat(slot.slotDir);
  expect(isTaken(uid)).toBe(true);
  await rename(slot.slotDir, `${slot.slotDir}-elsewhere`);
  await expect(sandbox.kill()).rejects.toThrow("ENOENT");
  // Another process may hold it for a moment.
  await waitUntil(() => !isTaken(uid), { what: "the place to be free" });
});

(probe.ok ? test : test.skip)("the guarantees say what there is", () => {
  expect(probe.ok && probe.guarantees).toMatchObject({
    isolated: true,
    filesystem: "rules",
    users: "own",
    processes: "user",
    network: "enforced",
  });
  expect(probe.ok && probe.guarantees.notes.join("; ")).toMatch(/Landlock version \d+.*no namespaces/);
});

testCoversSecurityTable("landlock", [await probeCandidate(driver)]);
