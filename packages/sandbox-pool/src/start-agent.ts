// Starts the sandbox of an agent.

import type { EgressRecord, ModelGate, ModelRequest } from "@dari/gateway";
import { guestCommand } from "@dari/harness";
import { forkModule } from "@dari/native";
import type { Sandbox, SandboxReports, SandboxSpec, SlotMounts } from "@dari/sandbox";
import type { AgentContext, AgentTurn } from "./agent-turn.ts";
import { limitsOf } from "./limits-of.ts";
import type { TurnReports } from "./recipe.ts";

/** Where a sandbox is started. `mounts` is given for a slot of the pool. */
export interface AgentStart {
  readonly imageDir: string;
  readonly slotDir: string;
  readonly mounts?: SlotMounts;
  readonly reports: SandboxReports;
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
  { imageDir, reports, slotDir, mounts }: AgentStart,
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
    env: { ...guest.env, ...env },
    imageDir,
    readOnlyPaths: [...guest.readOnlyPaths, ...interpreter.readOnlyPaths],
    script,
    slotDir,
    ...(mounts === undefined ? {} : { mounts }),
    hostUser: context.hostUserOf?.(turn.organizationId),
    network: { ...context.networkOf(turn), ...reports },
    limits: { ...limits, reservedBytes: guest.reservedBytes },
  };
}

/** While a sandbox is not assigned to a turn, this many of its connections are logged at the usual level. */
const unassignedLinesMax = 100;
/** While no turn accepts its requests to models, this many are kept for its next turn. */
const unassignedRequestsMax = 1_000;

/** Routes what a sandbox reports: to its turn, if it is assigned to one. */
export interface ReportRouter {
  readonly reports: SandboxReports;
  /** From now on, reports belong to this turn, with the requests to models that no turn has accepted. */
  assignTo(turn: NetworkReports): void;
}

type NetworkReports = Pick<TurnReports, "onConnection" | "onModelRequest" | "modelGate" | "findAnswerRecorder">;

/**
 * Routes the reports of a sandbox. Until it is assigned, its connections are written to the worker's log. Requests to
 * models count for the turn that the agent makes them for, also those that it begins while it loads, if its manifest
 * has no limits.
 */
export function routeReports(
  { log }: Pick<AgentContext, "log">,
  { organizationId: org, versionId: version, scrubber, manifest }: AgentTurn,
): ReportRouter {
  let lines = 0;
  let turn: NetworkReports | undefined;
  const hasLimits = Object.keys(manifest.limits ?? {}).some((name) => name !== "at_limit");
  const unassignedGate = hasLimits ? closedGate : undefined;
  let unaccepted: ModelRequest[] = [];
  return {
    reports: {
      onConnection(record) {
        if (turn !== undefined) return turn.onConnection(record);
        lines += 1;
        const shown = scrubber.json(record) as EgressRecord;
        log[lines <= unassignedLinesMax ? "info" : "debug"]({ ...shown, org, version }, "warm.egress");
      },
      onModelRequest(request) {
        if (turn?.onModelRequest(request) === true) return;
        if (unaccepted.length < unassignedRequestsMax) unaccepted.push(request);
      },
      modelGate: () => (turn === undefined ? unassignedGate : turn.modelGate()),
      findAnswerRecorder: () => turn?.findAnswerRecorder(),
    },
    assignTo(assigned) {
      turn = assigned;
      const requests = unaccepted;
      unaccepted = [];
      for (const request of requests) assigned.onModelRequest(request);
    },
  };
}

/** While no turn runs, no limit would count what the agent uses. */
const closedGate: ModelGate = {
  readsBody: false,
  admit: () => {
    const reason = "the agent has `limits` in dari.yml, so it can ask models only while a message runs, not on import";
    return Promise.resolve({ isAdmitted: false, isTemporary: false, reason });
  },
};
