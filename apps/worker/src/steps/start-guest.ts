// Starts a turn's guest: in a sandbox of its own, or in one that has waited for a turn like it.

import { createHash, randomBytes } from "node:crypto";
import { limits } from "@dari/domain";
import type { Turn } from "@dari/control/turns";
import { guestCommand, loadAhead } from "@dari/harness";
import { egressHosts } from "@dari/network";
import type { EgressRecord, Sandbox, SandboxSpec } from "@dari/sandbox";
import type { WorkerContext } from "../context.ts";
import type { WarmRecipe, Prepared } from "@dari/sandbox-pool";
import { egressPolicyOf } from "./egress-policy.ts";
import { logEgress } from "./log-egress.ts";
import type { LogRecorder } from "./record-logs.ts";
import { templateOf } from "./start-template.ts";

export async function startGuest(
  context: WorkerContext,
  {
    turn,
    logs,
    imageDir,
    slotDir,
  }: {
    readonly turn: Turn;
    readonly logs: LogRecorder;
    readonly imageDir: string;
    readonly slotDir: string;
  },
): Promise<Sandbox> {
  const onConnection = logEgress(context, turn, logs);
  return context.driver.prepare(await specOf(context, turn, { imageDir, slotDir, onConnection }));
}

/** What one that waits connects to is written at the usual level so often. */
const waitingLinesMax = 100;

/** A sandbox with the agent loaded, before it is known for which turn. */
export interface WarmGuest extends Prepared {
  /** It loads its agent without the files of a turn, or has served one. */
  isLoaded: boolean;
  /** Whose connections they are from here on. */
  give(turn: Turn, logs: LogRecorder): void;
}

/** Says what may wait for turns like this one. The turn's own data is not in it. */
export function warmRecipe(context: WorkerContext, turn: Turn): WarmRecipe {
  return {
    key: digestOf(keyOf(turn)),
    group: `${turn.organizationId}/${turn.versionId}`,
    shared: sharedBy(turn),
    hostUser: context.workspaces.hostUserOf?.(turn.organizationId),
    session: mayServeSession(context, turn) ? turn : undefined,
    ...templateOf(context, turn),
    async prepare(slotDir, mounts, { isAhead }): Promise<WarmGuest> {
      const image = await context.images.ensure(turn.image);
      try {
        const egress = egressOfWaiting(context, turn);
        const spec = await specOf(context, turn, { imageDir: image.dir, slotDir, onConnection: egress.tell });
        const sandbox = await context.driver.prepare({ ...spec, mounts });
        const { entry } = turn.image;
        const what = { channel: sandbox.channel, entry, imageDir: sandbox.paths.image, sdk: turn.manifest.sdk };
        if (isAhead) loadAhead(what);
        return { sandbox, isLoaded: isAhead, release: () => image.release(), give: egress.give };
      } catch (error) {
        image.release();
        throw error;
      }
    },
  };
}

/** Whose connections they are: of one that waits, until it is given to a turn. */
export function egressOfWaiting(
  context: WorkerContext,
  turn: Turn,
): { tell(record: EgressRecord): void; give: WarmGuest["give"] } {
  let told = 0;
  let tell = (record: EgressRecord): void => {
    const level = (told += 1) <= waitingLinesMax ? "info" : "debug";
    const shown = turn.scrubber.json(record) as EgressRecord;
    context.log[level]({ ...shown, org: turn.organizationId, version: turn.versionId }, "warm.egress");
  };
  return { tell: (record) => tell(record), give: (...to) => void (tell = logEgress(context, ...to)) };
}

/** The kernel counts the processor time of a process from its start: with a bound on it each turn has its own. */
function mayServeSession({ settings, driver }: WorkerContext, { manifest }: Turn): boolean {
  if (manifest.runtime.reuse !== "session" || !driver.canRest) return false;
  return settings.sessionIdleMs > 0 && settings.turnCpuSeconds === undefined;
}

/** So that a digest says nothing of the secrets in it. */
const salt = randomBytes(32);

function digestOf(value: unknown): string {
  return createHash("sha256").update(salt).update(JSON.stringify(value)).digest("base64url");
}

function keyOf(turn: Turn): readonly unknown[] {
  const { organizationId, versionId, image, manifest, egress } = turn;
  const environment = Object.entries(turn.environment.reveal()).sort(([one], [other]) => (one < other ? -1 : 1));
  return [organizationId, versionId, image, manifest.sdk, egress, environment];
}

/** What is not the session's own is the same for all turns of its version, until it is changed. */
function sharedBy(turn: Turn): ReadonlyMap<string, string> {
  const shared = Object.entries(turn.environment.reveal()).filter(([name]) => !turn.sessionSecrets.has(name));
  const { session: _session, ...egress } = turn.egress;
  // No variable is called so.
  return new Map([["egress", egress], ...shared].map(([name, value]) => [String(name), digestOf(value)]));
}

/** `isTemplate`: its guest is to be forked. */
export async function specOf(
  context: WorkerContext,
  turn: Turn,
  o: { imageDir: string; slotDir: string; onConnection: (record: EgressRecord) => void; isTemplate?: boolean },
): Promise<SandboxSpec> {
  const { settings } = context;
  const runtime = await context.runtimes.resolve(turn.image.runtime.language, turn.image.runtime.version);
  const script = context.guestScript.path();
  const { runtime: wanted, entry } = turn.image;
  const { isTemplate = false } = o;
  const given = { entryFile: entry.file, memoryBytes: settings.turnMemoryBytes, nodeScript: script, isTemplate };
  const guest = guestCommand(wanted.language, runtime.command, given);
  return {
    argv: guest.argv,
    env: turn.environment.reveal(),
    imageDir: o.imageDir,
    readOnlyPaths: [...guest.readOnlyPaths, ...runtime.readOnlyPaths],
    script,
    slotDir: o.slotDir,
    hostUser: context.workspaces.hostUserOf?.(turn.organizationId),
    network: {
      policy: egressPolicyOf(settings.egress, turn),
      secrets: turn.keptSecrets.map((secret) => ({ ...secret, hosts: egressHosts(secret.hosts) })),
      onConnection: o.onConnection,
    },
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
