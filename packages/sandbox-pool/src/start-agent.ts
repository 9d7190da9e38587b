// Starts the sandbox of an agent.

import { guestCommand } from "@dari/harness";
import { forkModule } from "@dari/native";
import type { EgressOptions, EgressRecord, Sandbox, SandboxSpec, SlotMounts } from "@dari/sandbox";
import type { AgentContext, AgentTurn } from "./agent-turn.ts";
import { limitsOf } from "./limits-of.ts";
import type { TurnReports } from "./recipe.ts";

/** Where a sandbox is started. `mounts` is given for a slot of the pool. */
export interface AgentStart {
  readonly imageDir: string;
  readonly slotDir: string;
  readonly mounts?: SlotMounts;
  readonly onConnection: NonNullable<EgressOptions["onConnection"]>;
}

/** Starts a sandbox for one turn, in the turn's own directory. The agent is loaded with the turn. */
export async function startAgent<T extends AgentTurn>(
  context: AgentContext<T>,
  turn: T,
  place: AgentStart,
): Promise<Sandbox> {
  return context.driver.prepare(await createAgentSpec(context, turn, place));
}

/** Returns how a sandbox for the turn's agent is started. `isTemplate`: it is forked and serves no turn itself. */
export async function createAgentSpec<T extends AgentTurn>(
  context: AgentContext<T>,
  turn: T,
  { imageDir, onConnection, slotDir, mounts }: AgentStart,
  { isTemplate = false }: { readonly isTemplate?: boolean } = {},
): Promise<SandboxSpec> {
  const { runtime, entry } = turn.image;
  const limits = limitsOf(context.settings, turn);
  const interpreter = await context.runtimes.resolve(runtime.language, runtime.version);
  const script = context.guestScript.path();
  const env = turn.environment.reveal();
  const guest = guestCommand(runtime.language, interpreter.command, {
    entryFile: entry.file,
    memoryBytes: limits.memoryBytes,
    nodeOptions: env["NODE_OPTIONS"],
    nodeScript: script,
    isTemplate,
    forkModule,
  });
  return {
    argv: guest.argv,
    env,
    imageDir,
    readOnlyPaths: [...guest.readOnlyPaths, ...interpreter.readOnlyPaths],
    script,
    slotDir,
    ...(mounts === undefined ? {} : { mounts }),
    hostUser: context.hostUserOf?.(turn.organizationId),
    network: { ...context.networkOf(turn), onConnection },
    limits: { ...limits, reservedBytes: guest.reservedBytes },
  };
}

/** While a sandbox is not assigned to a turn, this many of its connections are logged at the usual level. */
const unassignedLinesMax = 100;

/** Reports the connections of a sandbox: to the worker's log until it is assigned, and then to its turn. */
export function reportConnections(
  { log }: Pick<AgentContext, "log">,
  { organizationId: org, versionId: version, scrubber }: AgentTurn,
): { onConnection(record: EgressRecord): void; assignTo(turn: Pick<TurnReports, "onConnection">): void } {
  let lines = 0;
  let turn: Pick<TurnReports, "onConnection"> | undefined;
  return {
    onConnection(record) {
      if (turn !== undefined) return turn.onConnection(record);
      lines += 1;
      const shown = scrubber.json(record) as EgressRecord;
      log[lines <= unassignedLinesMax ? "info" : "debug"]({ ...shown, org, version }, "warm.egress");
    },
    assignTo: (assigned) => void (turn = assigned),
  };
}
