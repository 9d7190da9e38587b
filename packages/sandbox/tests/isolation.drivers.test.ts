// What isolation means, tested with each driver of this machine that claims it; and the choice of a driver.

import { afterAll, afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { probeCandidate, testGuarantee, testCoversSecurityTable, waysOfThisRun } from "@dari/testkit/test-guarantee";
import { once } from "node:events";
import { chmodSync, chownSync, readlinkSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import {
  chooseDriver,
  createBwrapDriver,
  createLandlockDriver,
  createOciDriver,
  createProcessDriver,
  NoSandboxDriverError,
  type SandboxDriver,
} from "../src/index.ts";
import { ownKernelNote } from "../src/machine/guarantee-notes.ts";
import { createChildDriver } from "./child-driver.ts";
import { hasOwnKernel, makeSlot, nextSaid, ociOptions, specFor, withSandbox } from "./sandbox-fixture.ts";

/** Not every test here applies to a driver with its own kernel. */
const hasKernel = ({ notes }: { notes: readonly string[] }): boolean => notes.includes(ownKernelNote);

/** The host's, before any container. */
const devices = ["null", "zero", "full", "random", "urandom", "tty"].map((name) => `/dev/${name}`);
const lookAtDevices = (): number[][] => devices.map((path) => statSync(path)).map((s) => [s.mode, s.uid, s.gid]);
const devicesBefore = lookAtDevices();

/** `isShared`: it can have the host's network. */
const isolating: { title: string; driver: SandboxDriver; isShared: boolean; isOwnKernel: boolean }[] = [];
const children = createChildDriver();
for (const driver of [createBwrapDriver(), createOciDriver(ociOptions), createProcessDriver(), children]) {
  const probe = await driver.probe();
  if (!probe.ok || !probe.guarantees.isolated) continue;
  const isOwnKernel = await hasOwnKernel(driver);
  const isShared = driver !== children && !isOwnKernel;
  isolating.push({ title: driver === children ? "a template's child" : driver.name, driver, isShared, isOwnKernel });
}

const escapes = fileURLToPath(new URL("./programs/escapes.mjs", import.meta.url));
const hasLandlock = (await createLandlockDriver().probe()).ok;

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
});
afterEach(() => slot.remove());
afterAll(() => children.close?.());

const inRun = waysOfThisRun(isolating);
if (inRun.length > 0) {
  describe.each(inRun)("$title", ({ driver, isShared, isOwnKernel }) => {
    testGuarantee("sysctl", driver.name)("writes to its workspace, its state and /tmp only", async () => {
      const writable = ["/workspace/a", "/output/b", "/state/c", "/tmp/d", "/dev/shm/e"];
      const system = ["/x", "/etc/x", "/usr/x", "/dev/x", "/proc/sys/kernel/core_pattern"];
      // /proc of a separate kernel belongs to that kernel.
      const closed = ["/agent/x", process.execPath, ...system, ...(isOwnKernel ? [] : ["/proc/self/comm"])];
      await withSandbox(driver, specFor(slot, ["write", ...writable, ...closed]), async (sandbox) => {
        await sandbox.claim();
        const said = (await nextSaid(sandbox)) as Record<string, string>;
        expect(writable.map((path) => said[path])).toEqual(writable.map(() => "done"));
        expect(closed.filter((path) => said[path] === "done")).toEqual([]);
      });
      expect(await readdir(join(slot.slotDir, "workspace"))).toEqual(["a", "output"]);
      expect(await readdir(join(slot.slotDir, "state"))).toEqual(["c"]);
    });

    test("cannot read the host's boot parameters", async () => {
      const spec = specFor(slot, [], { argv: ["/bin/sh", "-c", "cat /proc/cmdline"] });
      const said = await withSandbox(driver, spec, async (sandbox) => await text(sandbox.stdout));
      if (isOwnKernel) expect(said).toContain("gvisor");
      else expect(said).toBe("");
    });

    testGuarantee("modes", driver.name)("has devices, of which it cannot change the host's", async () => {
      const changes = `for node in ${devices.join(" ")} /proc/self/fd/*; do chmod g+x $node; done 2> /dev/null`;
      const uses = "echo > /dev/null && head -c 2 /dev/zero | wc -c && head -c 3 /dev/urandom | wc -c";
      const spec = specFor(slot, [], { argv: ["/bin/sh", "-c", `${changes}; ${uses}`] });
      try {
        await withSandbox(driver, spec, async (sandbox) => expect(await text(sandbox.stdout)).toBe("2\n3\n"));
        expect(lookAtDevices()).toEqual(devicesBefore);
      } finally {
        for (const [index, [mode, uid, gid]] of devicesBefore.entries()) {
          if (statSync(devices[index]!).uid !== uid) chownSync(devices[index]!, uid!, gid!);
          if (statSync(devices[index]!).mode !== mode) chmodSync(devices[index]!, mode! & 0o7777);
        }
      }
    });

    test("sees nothing of the host's own files", async () => {
      const system = ["/etc/shadow", "/etc/ssl/private", "/root", "/home", "/var", "/sys"];
      const shown = (await hasOwnKernel(driver)) ? system.filter((path) => path !== "/sys") : system;
      const paths = [...shown, slot.slotDir, `/proc/${process.pid}/environ`];
      await withSandbox(driver, specFor(slot, ["read", ...paths]), async (sandbox) => {
        expect(await nextSaid(sandbox)).toEqual(Object.fromEntries(paths.map((path) => [path, "ENOENT"])));
      });
    });

    test("reads its image", async () => {
      await withSandbox(driver, specFor(slot, ["read", "/agent/agent.txt"]), async (sandbox) => {
        expect(await nextSaid(sandbox)).toEqual({ "/agent/agent.txt": "done" });
      });
    });

    test("sees its own processes only and is not root", async () => {
      await withSandbox(driver, specFor(slot, ["see"]), async (sandbox) => {
        const seen = (await nextSaid(sandbox)) as { processes: number; uid: number };
        expect(seen.processes).toBeLessThanOrEqual(3);
        expect(seen.uid).not.toBe(0);
      });
    });

    test("has the network it was given", async () => {
      const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
      await once(server, "listening");
      const port = String((server.address() as AddressInfo).port);
      try {
        for (const [network, said] of [
          ["none", "ECONNREFUSED"],
          ...(isShared ? [["open", "connected"] as const] : []),
        ] as const) {
          await withSandbox(driver, specFor(slot, ["connect", port], { network }), async (sandbox) => {
            expect(await nextSaid(sandbox)).toBe(said);
          });
        }
      } finally {
        server.close();
      }
    });

    testGuarantee("unix-sockets", driver.name)("reaches no UNIX socket of the host, named or abstract", async () => {
      const places = [join(slot.slotDir, "service.sock"), `\0isolation-test-${process.pid}`];
      const servers = places.map((path) => createServer().listen(path));
      try {
        await Promise.all(servers.map((server) => once(server, "listening")));
        const argv = [process.execPath, escapes, JSON.stringify(places.map((path) => ["connectPath", path]))];
        const said = await withSandbox(driver, specFor(slot, [], { argv }), nextSaid);
        expect(said).toEqual(["ENOENT", "ECONNREFUSED"]);
      } finally {
        for (const server of servers) server.close();
      }
    });

    testGuarantee("signals", driver.name)("sends no signal to a process of the host", async () => {
      const argv = [process.execPath, escapes, JSON.stringify([["signal", process.pid]])];
      expect(await withSandbox(driver, specFor(slot, [], { argv }), nextSaid)).toEqual(["ESRCH"]);
    });

    // A separate kernel numbers its namespaces differently.
    (isOwnKernel ? test.skip : testGuarantee("ipc", driver.name))("has an ipc namespace of its own", async () => {
      const spec = specFor(slot, [], { argv: ["/usr/bin/readlink", "/proc/self/ns/ipc"] });
      const said = await withSandbox(driver, spec, async (sandbox) => await text(sandbox.stdout));
      expect(said).toMatch(/^ipc:\[\d+\]\n$/);
      expect(said.trim()).not.toBe(readlinkSync("/proc/self/ns/ipc"));
    });

    test("has no capability and gains none", async () => {
      const argv = ["/usr/bin/grep", "-E", "Cap(Eff|Prm|Bnd)|NoNewPrivs", "/proc/self/status"];
      const spec = specFor(slot, [], { argv });
      await withSandbox(driver, spec, async (sandbox) => {
        const lines = (await text(sandbox.stdout))
          .trim()
          .split("\n")
          .map((line) => line.replace(/\s+/, " "));
        const none = ["CapPrm", "CapEff", "CapBnd"].map((name) => `${name}: ${"0".repeat(16)}`);
        // Not every kernel reports it.
        expect([none, [...none, "NoNewPrivs: 1"]]).toContainEqual(lines);
      });
    });

    test("a preloaded library is not loaded outside", async () => {
      const spec = specFor(slot, ["echo"], { env: { LD_PRELOAD: "/workspace/evil.so" } });
      await withSandbox(driver, spec, async (sandbox) => {
        sandbox.channel.write('"still here"\n');
        expect(await nextSaid(sandbox)).toBe("still here");
      });
    });
  });
}

describe("chooseDriver", () => {
  test("uses the strongest, and says why others were not used", async () => {
    const chosen = await chooseDriver({ minimum: "none" });
    const withoutNamespaces = hasLandlock ? "landlock" : "process";
    expect(chosen.driver.name).toBe(isolating[0]?.title ?? withoutNamespaces);
    expect(chosen.rejected.every(({ reason }) => reason !== "")).toBe(true);
  });

  test("uses the required one if it gives the minimum", async () => {
    expect((await chooseDriver({ minimum: "none", required: "process" })).driver.name).toBe("process");
    if (!hasLandlock) return;
    expect((await chooseDriver({ minimum: "isolated", required: "landlock" })).driver.name).toBe("landlock");
  });

  test("does not use another one instead of the required one", async () => {
    await expect(chooseDriver({ minimum: "isolated", required: "process" })).rejects.toThrow("it does not isolate");
    const missing = chooseDriver({ minimum: "none", required: "oci", ociRuntime: "no-such-runtime" });
    await expect(missing).rejects.toThrow(/required sandbox driver cannot be used \(oci: .*no-such-runtime/);
    const broken = chooseDriver({ minimum: "none", required: "bwrap", bwrapPath: "/usr/bin/false" });
    await expect(broken).rejects.toThrow("required sandbox driver cannot be used (bwrap: ");
  });

  test("refuses a driver that does not exist", async () => {
    await expect(chooseDriver({ minimum: "none", required: "docker" })).rejects.toThrow(NoSandboxDriverError);
  });

  test("a bubblewrap that cannot be used says why", async () => {
    const probe = await createBwrapDriver({ bwrapPath: "/usr/bin/false" }).probe();
    expect(probe.ok ? "" : probe.reason).toMatch(/bwrap ended with|user namespaces/);
  });
});

testCoversSecurityTable(
  "isolation",
  await Promise.all(
    [createBwrapDriver(), createOciDriver(ociOptions)].map((driver) => probeCandidate(driver, hasKernel)),
  ),
  inRun,
);
