// Starts a turn's guest: in a sandbox of its own, or in one that has waited for a turn like it.

import { createHash, randomBytes } from "node:crypto";
import { limits } from "@dari/domain";
import type { Turn } from "@dari/control";
import { guestCommand, loadAhead } from "@dari/harness";
import type { EgressRecord, Sandbox, SandboxSpec } from "@dari/sandbox";
import type { WorkerContext } from "../context.ts";
import type { Prepared, WarmRecipe } from "../warm-pool.ts";
import { logEgress } from "./log-egress.ts";

export async function startGuest(
  context: WorkerContext,
  { turn, imageDir, slotDir }: { readonly turn: Turn; readonly imageDir: string; readonly slotDir: string },
): Promise<Sandbox> {
  const onConnection = logEgress(context, turn);
  return context.driver.prepare(await specOf(context, turn, { imageDir, slotDir, onConnection }));
}

/** What one that waits connects to is written at the usual level so often. */
const waitingLinesMax = 100;

/** A sandbox with the agent loaded, before it is known for which turn. */
export interface WarmGuest extends Prepared {
  /** Whose connections they are from here on. */
  give(turn: Turn): void;
}

/** Says what may wait for turns like this one. The turn's own data is not in it. */
export function warmRecipe(context: WorkerContext, turn: Turn): WarmRecipe {
  return {
    key: digestOf(keyOf(turn)),
    group: `${turn.organizationId}/${turn.versionId}`,
    shared: sharedBy(turn),
    async prepare(slotDir, mounts): Promise<WarmGuest> {
      const image = await context.images.ensure(turn.image);
      try {
        let told = 0;
        let tell = (record: EgressRecord): void => {
          const level = (told += 1) <= waitingLinesMax ? "info" : "debug";
          context.log[level]({ ...record, version: turn.versionId }, "warm.egress");
        };
        const onConnection = (record: EgressRecord): void => tell(record);
        const spec = await specOf(context, turn, { imageDir: image.dir, slotDir, onConnection });
        const sandbox = await context.driver.prepare({ ...spec, mounts });
        const { entry } = turn.image;
        loadAhead({ channel: sandbox.channel, entry, imageDir: sandbox.paths.image, sdk: turn.manifest.sdk });
        return { sandbox, release: () => image.release(), give: (to) => void (tell = logEgress(context, to)) };
      } catch (error) {
        image.release();
        throw error;
      }
    },
  };
}

/** So that a digest says nothing of the secrets in it. */
const salt = randomBytes(32);

function digestOf(value: unknown): string {
  return createHash("sha256").update(salt).update(JSON.stringify(value)).digest("base64url");
}

function keyOf(turn: Turn): readonly unknown[] {
  const { organizationId, versionId, image, manifest } = turn;
  const environment = Object.entries(turn.environment.reveal()).sort(([one], [other]) => (one < other ? -1 : 1));
  return [organizationId, versionId, image, manifest.sdk, environment];
}

/** What is not the session's own is the same for all turns of its version, until it is changed. */
function sharedBy(turn: Turn): ReadonlyMap<string, string> {
  const shared = Object.entries(turn.environment.reveal()).filter(([name]) => !turn.sessionSecrets.has(name));
  return new Map(shared.map(([name, value]) => [name, digestOf(value)]));
}

async function specOf(
  context: WorkerContext,
  turn: Turn,
  o: { imageDir: string; slotDir: string; onConnection: (record: EgressRecord) => void },
): Promise<SandboxSpec> {
  const { settings } = context;
  const runtime = await context.runtimes.resolve(turn.image.runtime.language, turn.image.runtime.version);
  const script = context.guestScript.path();
  const guest = guestCommand(turn.image.runtime.language, runtime.command, { nodeScript: script });
  return {
    argv: guest.argv,
    env: turn.environment.reveal(),
    imageDir: o.imageDir,
    readOnlyPaths: [...guest.readOnlyPaths, ...runtime.readOnlyPaths],
    script,
    slotDir: o.slotDir,
    network: { policy: settings.egress, onConnection: o.onConnection },
    limits: {
      memoryBytes: settings.turnMemoryBytes,
      processes: settings.turnProcesses,
      openFiles: 4_096,
      fileBytes: limits.workspaceFileBytes,
      tmpBytes: 1024 ** 3,
      diskBytes: settings.turnDiskBytes,
      ...(settings.turnCpus === undefined ? {} : { cpus: settings.turnCpus }),
      ...(settings.turnCpuSeconds === undefined ? {} : { cpuSeconds: settings.turnCpuSeconds }),
      diskFiles: limits.workspaceFiles,
    },
  };
}
