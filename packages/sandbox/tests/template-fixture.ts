// Templates in their own directory, and children that run received code.

import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { BwrapOptions } from "../src/bwrap/bwrap-driver.ts";
import {
  createBwrapDriver,
  LateForkError,
  openSlotMounts,
  type Sandbox,
  type SandboxSpec,
  type SandboxTemplate,
} from "../src/index.ts";
import { createChildDriver, forked, forkedArgv } from "./child-driver.ts";

/** Undefined if templates work here; otherwise a test's title says why they do not. */
export const noTemplates = await reasonForNone();

async function reasonForNone(): Promise<string | undefined> {
  const driver = createChildDriver();
  const probe = await driver.probe();
  await driver.close?.();
  return probe.ok ? undefined : probe.reason;
}

export interface Child extends Sandbox {
  /** Runs some lines of Python and returns `result`; for a system error, its text. */
  ask(code: string): Promise<unknown>;
}

export interface Template extends Omit<SandboxTemplate, "fork"> {
  readonly slotDir: string;
  /** The value of `result` after its code. */
  readonly said: unknown;
  /** Resolves with the reason as text if it is not a template. */
  held(): Promise<string | undefined>;
  fork(): Promise<Child>;
  /** Forks a child that takes no descriptors and answers nothing. */
  forkMute(): Promise<Sandbox>;
}

export interface Templates {
  /** Runs `code` first. */
  make(code?: string, overrides?: Partial<SandboxSpec>): Promise<Template>;
  /** Returns a template that is already held. */
  hold(code?: string, overrides?: Partial<SandboxSpec>): Promise<Template>;
  /** Ends all templates with all their children. */
  close(): Promise<void>;
}

export async function openTemplates(o: BwrapOptions = {}): Promise<Templates> {
  const driver = createBwrapDriver(o);
  const root = await mkdtemp(join(tmpdir(), "sandbox-templates-"));
  const mounts = await openSlotMounts(join(root, "slots"), driver);
  const imageDir = join(root, "image");
  await mkdir(imageDir);
  const made: (SandboxTemplate & { slotDir: string })[] = [];
  const children: { sandbox: Sandbox; slotDir: string }[] = [];
  /** The ends of late forks' slots. */
  const late: Promise<void>[] = [];
  let count = 0;
  const slot = (): Promise<string> => mounts.make(`slot-${(count += 1)}`);

  async function fork(template: SandboxTemplate): Promise<Sandbox> {
    const slotDir = await slot();
    try {
      const sandbox = await template.fork({ slotDir, mounts });
      children.push({ sandbox, slotDir });
      return sandbox;
    } catch (error) {
      if (error instanceof LateForkError) late.push(error.settled.then(() => mounts.remove(slotDir)));
      else await mounts.remove(slotDir);
      throw error;
    }
  }

  async function make(code = "", overrides: Partial<SandboxSpec> = {}): Promise<Template> {
    const slotDir = await slot();
    const spec = { argv: forkedArgv(code), env: {}, imageDir, readOnlyPaths: [forked], slotDir, mounts } as const;
    const template = (await driver.prepareTemplate({ ...spec, network: "none", limits: {}, ...overrides }))!;
    made.push({ ...template, slotDir });
    const complaints = text(template.stderr);
    template.stdout.resume();
    const lines = createInterface({ input: template.channel });
    const [said] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as [string?];
    if (said === undefined) throw new Error(`the template said nothing: ${await complaints}`);
    return {
      ...template,
      slotDir,
      said: JSON.parse(said),
      held: () => template.hold(() => void template.channel.write("\n")),
      fork: async () => obeying(await fork(template)),
      forkMute: () => fork(template),
    };
  }

  return {
    make,
    async hold(code, overrides) {
      const template = await make(code, overrides);
      const refusal = await template.held();
      if (refusal !== undefined) throw new Error(refusal);
      return template;
    },
    async close() {
      await Promise.all(children.map(({ sandbox }) => sandbox.kill()));
      await Promise.all(made.map((one) => one.kill()));
      await Promise.all(late);
      for (const { slotDir } of [...made, ...children]) await mounts.remove(slotDir);
      await mounts.close();
      await driver.close?.();
      await rm(root, { recursive: true });
    },
  };
}

function obeying(sandbox: Sandbox): Child {
  const lines = createInterface({ input: sandbox.channel })[Symbol.asyncIterator]();
  sandbox.stdout.resume();
  sandbox.stderr.resume();
  return {
    ...sandbox,
    async ask(code) {
      sandbox.channel.write(`${JSON.stringify(code)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error("the child has ended");
      return JSON.parse(value);
    },
  };
}
