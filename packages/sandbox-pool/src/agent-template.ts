// Loads an agent once, to fork it for each of its sandboxes.

import { loadTemplate } from "@dari/harness";
import type { SandboxTemplate } from "@dari/sandbox";
import type { AgentContext, AgentTurn } from "./agent-turn.ts";
import { collectImportOutput, type ImportOutput } from "./import-output.ts";
import type { SandboxRecipe, Slot, StartedSandbox, Template } from "./recipe.ts";
import { createAgentSpec, routeReports } from "./start-agent.ts";

/** The first version of Node whose forks can compile WebAssembly, which fetch needs. */
const nodeMin = 22;

/** Whether the interpreter's processes can be forked. */
export function canForkRuntime({
  language,
  version,
}: {
  readonly language: string;
  readonly version: string;
}): boolean {
  return language === "python" || Number.parseInt(version, 10) >= nodeMin;
}

/** Returns nothing for an agent that cannot be forked, or that must be loaded for every turn. */
export function agentTemplate<T extends AgentTurn>(
  context: AgentContext<T>,
  turn: T,
): Pick<SandboxRecipe, "startTemplate"> {
  const { driver, settings } = context;
  const isWanted = settings.usesTemplates && turn.manifest.runtime.load !== "every_turn";
  if (!isWanted || !driver.canFork || !canForkRuntime(turn.image.runtime)) return {};
  return { startTemplate: (slot, signal) => startTemplate(context, turn, slot, signal) };
}

/** Resolves with the reason if the agent cannot be forked. */
async function startTemplate<T extends AgentTurn>(
  context: AgentContext<T>,
  turn: T,
  slot: Slot,
  signal: AbortSignal,
): Promise<Template | string> {
  const image = await context.images.ensure(turn.image);
  let sandbox: SandboxTemplate | undefined;
  const end = async (): Promise<void> => {
    try {
      await sandbox?.kill();
    } finally {
      image.release();
    }
  };
  try {
    // What an agent asks models while it is loaded once belongs to no turn.
    const reports = { ...routeReports(context, turn).reports, onModelRequest: () => {} };
    const place = { ...slot, imageDir: image.dir, reports };
    sandbox = await context.driver.prepareTemplate(await createAgentSpec(context, turn, place, { isTemplate: true }));
    const output = sandbox === undefined ? undefined : collectImportOutput(sandbox);
    const why = await whyUnforkable(turn, slot, sandbox, signal);
    if (why === undefined) return templateOf(context, turn, { sandbox: sandbox!, output: output!, end });
    await end();
    return why;
  } catch (error) {
    await end();
    throw error;
  }
}

async function whyUnforkable(
  turn: AgentTurn,
  { slotDir, mounts }: Slot,
  sandbox: SandboxTemplate | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (sandbox === undefined) return "this machine has no way to";
  const imageDir = sandbox.paths.image;
  const why = await loadTemplate(sandbox, { entry: turn.image.entry, imageDir, sdk: turn.manifest.sdk, signal });
  if (why !== undefined) return why;
  return (await mounts.isUntouched(slotDir)) ? undefined : "its code wrote to its directory before its turn came";
}

function templateOf<T extends AgentTurn>(
  context: AgentContext<T>,
  turn: T,
  o: { readonly sandbox: SandboxTemplate; readonly output: ImportOutput; readonly end: () => Promise<void> },
): Template {
  return {
    exited: o.sandbox.exited,
    async fork(slot): Promise<StartedSandbox> {
      const router = routeReports(context, turn);
      const sandbox = await o.sandbox.fork({ ...slot, ...router.reports });
      let isFirstTurn = true;
      return {
        sandbox,
        assignTo(assigned) {
          router.assignTo(assigned);
          if (isFirstTurn) assigned.onImportOutput(o.output);
          isFirstTurn = false;
        },
        release: () => {},
      };
    },
    end: o.end,
  };
}
