// Promises of every driver, tested with each driver of this machine.

import { afterAll, afterEach, beforeEach, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import {
  probeCandidate,
  describeEach,
  testGuarantee,
  testCoversSecurityTable,
  waysOfThisRun,
} from "@dari/testkit/test-guarantee";
import { readFileSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import {
  createBwrapDriver,
  createLandlockDriver,
  createOciDriver,
  createProcessDriver,
  SandboxStartError,
} from "../src/index.ts";
import { createChildDriver } from "./child-driver.ts";
import {
  commandOf,
  countSleepers,
  descendantsOf,
  hasOwnKernel,
  makeSlot,
  nextSaid,
  ociOptions,
  specFor,
  withSandbox,
} from "./sandbox-fixture.ts";

const drivers = [
  { title: "bwrap", driver: createBwrapDriver() },
  { title: "process", driver: createProcessDriver() },
  { title: "process, tracked", driver: createProcessDriver({ hold: "tracked" }) },
  { title: "bwrap, as the worker's user", driver: createBwrapDriver({ hostUsers: false }) },
  { title: "bwrap, started ahead", driver: createBwrapDriver({ ahead: true }) },
  { title: "a template's child", driver: createChildDriver() },
  { title: "oci", driver: createOciDriver(ociOptions) },
  { title: "landlock", driver: createLandlockDriver() },
  { title: "landlock of an older kernel", driver: createLandlockDriver({ versionMax: 4 }) },
];
const usable: typeof drivers = [];
for (const each of drivers) {
  const probe = await each.driver.probe();
  if (probe.ok) usable.push(each);
  else test.skip(`${each.title} cannot be used here: ${probe.reason}`, () => {});
}

interface Seen {
  env: Record<string, string>;
  cwd: string;
  uid: number;
  here: string[];
  processes: number;
}

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
});
afterEach(() => slot.remove());
afterAll(async () => {
  for (const { driver } of drivers) await driver.close?.();
});

const inRun = waysOfThisRun(usable);
describeEach(inRun)("$title", ({ driver }) => {
  test("carries bytes both ways on the channel", async () => {
    await withSandbox(driver, specFor(slot, ["echo"]), async (sandbox) => {
      sandbox.channel.write(`${JSON.stringify("ä".repeat(300_000))}\n`);
      expect(await nextSaid(sandbox)).toBe("ä".repeat(300_000));
    });
  });

  test("captures stdout and stderr and reports the exit code", async () => {
    await withSandbox(driver, specFor(slot, ["print"]), async (sandbox) => {
      const [out, err, exit] = await Promise.all([text(sandbox.stdout), text(sandbox.stderr), sandbox.exited]);
      expect([out, err]).toEqual(["to stdout ä\n", "to stderr ö\n"]);
      expect(exit).toEqual({ code: 7, signal: null });
    });
  });

  test("reports the signal that ended the program", async () => {
    await withSandbox(driver, specFor(slot, ["die"]), async (sandbox) => {
      expect(await sandbox.exited).toEqual({ code: null, signal: "SIGKILL" });
    });
  });

  test("gives the program a clean environment, its directories and the spec's variables", async () => {
    const spec = specFor(slot, ["see"], { env: { TOKEN: "s3cret", HOME: "/elsewhere", PATH: "/usr/bin" } });
    await withSandbox(driver, spec, async (sandbox) => {
      await sandbox.claim();
      const seen = (await nextSaid(sandbox)) as Seen;
      const { SANDBOX_MARK: _mark, PWD: _pwd, ...env } = seen.env;
      expect(env).toEqual({
        TOKEN: "s3cret",
        PATH: "/usr/bin",
        LANG: "C.UTF-8",
        HOME: sandbox.paths.state,
        TMPDIR: env["TMPDIR"],
      });
      expect(seen.cwd).toBe(sandbox.paths.workspace);
    });
  });

  testGuarantee("descriptors", driver.name)("hands the program descriptors 0 to 3 and nothing of ours", async () => {
    // The shell's descriptor for reading the list is already closed when it checks each entry.
    const isOurs = 'test -e "$fd" && ! test "$fd" -gt 3 -a "$fd" -ef /dev/null';
    const argv = ["/bin/sh", "-c", `cd /proc/self/fd; for fd in *; do ${isOurs} && echo "$fd"; done`];
    await withSandbox(driver, specFor(slot, [], { argv }), async (sandbox) => {
      expect((await text(sandbox.stdout)).trim().split("\n").sort()).toEqual(["0", "1", "2", "3"]);
    });
  });

  test("has an input and an output folder, of which nothing is left when unused", async () => {
    await withSandbox(driver, specFor(slot, ["write", "output/report.txt"]), async (sandbox) => {
      await sandbox.claim();
      expect(await nextSaid(sandbox)).toEqual({ "output/report.txt": "done" });
    });
    expect(await readdir(join(slot.slotDir, "workspace"))).toEqual(["output"]);
  });

  test("leaves folders alone that were there before", async () => {
    await mkdir(join(slot.slotDir, "workspace", "input"));
    await withSandbox(driver, specFor(slot, ["echo"]), (sandbox) => sandbox.claim());
    expect(await readdir(join(slot.slotDir, "workspace"))).toEqual(["input"]);
  });

  test("kills fifty detached grandchildren, and can be called twice", async () => {
    const seconds = `4000.${process.hrtime.bigint()}`;
    await withSandbox(driver, specFor(slot, ["daemons", seconds]), async (sandbox) => {
      expect(await nextSaid(sandbox)).toBe("started");
      // A separate kernel may show them differently.
      if (!(await hasOwnKernel(driver))) {
        await waitUntil(() => countSleepers(seconds) === 50, { what: "50 sleepers" });
      }
      const started = descendantsOf(sandbox.pid);
      await Promise.all([sandbox.kill(), sandbox.kill()]);
      expect(countSleepers(seconds)).toBe(0);
      expect(started.filter((pid) => commandOf(pid) !== "")).toEqual([]);
    });
  });

  test("is ended by the kernel before this process, with everything that it starts, if memory runs out", async () => {
    const scoreOf = (pid: number | "self"): string => readFileSync(`/proc/${pid}/oom_score_adj`, "latin1").trim();
    const own = scoreOf("self");
    const seconds = `6000.${process.hrtime.bigint()}`;
    await withSandbox(driver, specFor(slot, ["daemons", seconds]), async (sandbox) => {
      expect(await nextSaid(sandbox)).toBe("started");
      const started = [sandbox.pid, ...descendantsOf(sandbox.pid)];
      expect(new Set(started.map(scoreOf))).toEqual(new Set(["1000"]));
    });
    expect(scoreOf("self")).toBe(own);
  });

  testGuarantee("daemons", driver.name)("leaves no daemon behind when the program ends by itself", async () => {
    const seconds = `5000.${process.hrtime.bigint()}`;
    await withSandbox(driver, specFor(slot, ["leaveDaemons", seconds]), async (sandbox) => {
      expect(await sandbox.exited).toEqual({ code: 0, signal: null });
      await sandbox.kill();
      expect(countSleepers(seconds)).toBe(0);
    });
  });

  test("can be killed while it starts", async () => {
    const slots = await Promise.all(Array.from({ length: 8 }, makeSlot));
    const sandboxes = await Promise.all(slots.map((each) => driver.prepare(specFor(each, ["echo"]))));
    await Promise.all(sandboxes.map((sandbox) => sandbox.kill()));
    const exits = await Promise.all(sandboxes.map((sandbox) => sandbox.exited));
    expect(exits.map((exit) => exit.signal)).toEqual(exits.map(() => "SIGKILL"));
    for (const each of slots) await each.remove();
  });

  test.each([
    ["a program that is not there", { argv: ["/nowhere/python"] }, /\/nowhere\/python does not exist/],
    ["a program by name", { argv: ["node"] }, /absolute path/],
    ["an image that is not there", { imageDir: "/nowhere" }, /\/nowhere is not a directory/],
    ["a bound path that is not there", { readOnlyPaths: ["/nowhere/lib"] }, /\/nowhere\/lib does not exist/],
    ["a variable that holds NUL", { env: { A: "x\0--bind\0/\0/mnt" } }, /contains NUL/],
  ])("refuses %s", async (_title, overrides, message) => {
    const start = driver.prepare(specFor(slot, ["echo"], overrides));
    await expect(start).rejects.toThrow(SandboxStartError);
    await expect(start).rejects.toThrow(message);
  });

  testGuarantee("huge-file", driver.name)("bounds the size of a file when it says so", async () => {
    const probe = await driver.probe();
    const bounded = probe.ok && probe.guarantees.limits.fileSize === "per_process";
    const argv = ["/usr/bin/dd", "if=/dev/zero", "of=big", "bs=4096", "count=16"];
    await withSandbox(driver, specFor(slot, [], { argv, limits: { fileBytes: 8192 } }), async (sandbox) => {
      sandbox.stderr.resume();
      expect(await sandbox.exited).toEqual(bounded ? { code: null, signal: "SIGXFSZ" } : { code: 0, signal: null });
    });
  });

  testGuarantee("open-files", driver.name)("bounds the descriptors of each process when it says so", async () => {
    const probe = await driver.probe();
    const bounded = probe.ok && probe.guarantees.limits.openFiles === "per_process";
    const argv = ["/bin/sh", "-c", "ulimit -n 200 2> /dev/null; ulimit -n"];
    await withSandbox(driver, specFor(slot, [], { argv, limits: { openFiles: 100 } }), async (sandbox) => {
      expect(await text(sandbox.stdout)).toBe(bounded ? "100\n" : "200\n");
    });
  });

  test("keeps stdout flowing when it is read late", async () => {
    const argv = ["/usr/bin/head", "-c", "5000000", "/dev/zero"];
    await withSandbox(driver, specFor(slot, [], { argv }), async (sandbox) => {
      await waitUntil(() => sandbox.stdout.readableLength > 0, { what: "output" });
      let bytes = 0;
      for await (const chunk of sandbox.stdout) bytes += (chunk as Buffer).length;
      expect(bytes).toBe(5_000_000);
    });
  });
});

test("says that the process driver does not isolate", async () => {
  const probe = await createProcessDriver().probe();
  expect(probe.ok && !probe.guarantees.isolated && probe.guarantees.notes.join(" ")).toMatch(/NOT ISOLATED/);
});

test("keeps a file that took an input folder's name", async () => {
  await writeFile(join(slot.slotDir, "workspace", "input"), "a file");
  await withSandbox(createProcessDriver(), specFor(slot, ["echo"]), (sandbox) => sandbox.claim());
  expect((await readdir(join(slot.slotDir, "workspace"))).sort()).toEqual(["input"]);
});

testCoversSecurityTable("conformance", await Promise.all(drivers.map(({ driver }) => probeCandidate(driver))), inRun);
