// A driver whose sandboxes are children of a template, which must keep all promises of a sandbox.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BwrapOptions } from "../src/bwrap/bwrap-driver.ts";
import { checkSpec } from "../src/slots/slot.ts";
import {
  createBwrapDriver,
  openSlotMounts,
  SandboxStartError,
  type ProbeResult,
  type Sandbox,
  type SandboxDriver,
  type SandboxSpec,
  type SandboxTemplate,
  type SlotMounts,
} from "../src/index.ts";

export const forked = fileURLToPath(new URL("./programs/forked.py", import.meta.url));

/** Arguments of a template that runs `code` first. Its children become `program`, or run received code. */
export function forkedArgv(code: string, program: readonly string[] = []): string[] {
  return ["/usr/bin/python3", "-I", "-S", forked, code, ...program];
}

/** Each sandbox is the only child of its own template, and ends with it. Never has the host's network. */
export function createChildDriver(o: BwrapOptions = {}): SandboxDriver {
  const driver = createBwrapDriver(o);
  let found: Promise<{ places?: Places; result: ProbeResult }> | undefined;
  let closed: Promise<void> | undefined;
  const find = (): NonNullable<typeof found> => (found ??= tryOut(driver));
  return {
    ...driver,
    probe: async () => (await find()).result,
    async prepare(spec) {
      await checkSpec(spec);
      const { places, result } = await find();
      if (places === undefined) throw new SandboxStartError(result.ok ? "" : result.reason);
      return startChild(driver, places, spec);
    },
    async close() {
      await driver.close?.();
      await (closed ??= (await found)?.places?.close());
    },
  };
}

interface Places {
  readonly mounts: SlotMounts;
  readonly root: string;
  name(): string;
  close(): Promise<void>;
}

async function openPlaces(driver: SandboxDriver): Promise<Places> {
  const root = await mkdtemp(join(tmpdir(), "sandbox-children-"));
  const mounts = await openSlotMounts(join(root, "slots"), driver);
  let count = 0;
  return {
    mounts,
    root,
    name: () => `template-${(count += 1)}`,
    async close() {
      await mounts.close();
      await rm(root, { recursive: true });
    },
  };
}

async function tryOut(driver: SandboxDriver): Promise<{ places?: Places; result: ProbeResult }> {
  const result = await driver.probe();
  if (!result.ok) return { result };
  let places: Places | undefined;
  try {
    places = await openPlaces(driver);
    const { root, mounts } = places;
    const slotDir = await mounts.make("trial");
    const spec = { argv: ["/bin/true"], env: {}, imageDir: root, readOnlyPaths: [], slotDir } as const;
    const child = await startChild(driver, places, { ...spec, network: "none", limits: {} });
    await child.kill();
    await mounts.remove(slotDir);
    return { places, result };
  } catch (error) {
    await places?.close();
    return { result: { ok: false, reason: String(error) } };
  }
}

/** Starts a program that forks at "fork", with the output of its channel. */
export async function startTemplate(
  driver: SandboxDriver,
  spec: SandboxSpec,
  argv: readonly string[] = spec.argv,
): Promise<SandboxTemplate> {
  const template = await driver.prepareTemplate({ ...spec, argv });
  if (template === undefined) throw new SandboxStartError("there are no templates here");
  template.stdout.resume();
  template.stderr.resume();
  await Promise.race([once(template.channel, "data"), template.exited]);
  return template;
}

/** Resolves with the reason as text if it is not a template. */
export function holdTemplate(template: SandboxTemplate): Promise<string | undefined> {
  return template.hold(() => void template.channel.write("\n"));
}

async function startChild(driver: SandboxDriver, places: Places, spec: SandboxSpec): Promise<Sandbox> {
  const { mounts } = places;
  const slotDir = await mounts.make(places.name());
  let template: SandboxTemplate | undefined;
  const end = async (): Promise<void> => {
    await template?.kill();
    await mounts.remove(slotDir);
  };
  try {
    const readOnlyPaths = [...spec.readOnlyPaths, forked];
    const argv = forkedArgv("", spec.argv);
    template = await startTemplate(driver, { ...spec, readOnlyPaths, slotDir, mounts }, argv);
    const refusal = await holdTemplate(template);
    if (refusal !== undefined) throw new SandboxStartError(refusal);
    const child = await template.fork({ slotDir: spec.slotDir, ...(spec.mounts && { mounts: spec.mounts }) });
    let killed: Promise<void> | undefined;
    return { ...child, kill: () => (killed ??= child.kill().then(end)) };
  } catch (error) {
    await end();
    throw error;
  }
}
