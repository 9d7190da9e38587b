// Loads an agent once, to be forked for each of its turns.

import type { Turn } from "@dari/control/turns";
import { loadTemplate } from "@dari/harness";
import type { SandboxTemplate, SlotMounts } from "@dari/sandbox";
import type { WorkerContext } from "../context.ts";
import { type WarmRecipe, type WarmTemplate, collectWords, showWords, type ImportWords } from "@dari/sandbox-pool";
import { egressOfWaiting, specOf, type WarmGuest } from "./start-guest.ts";

/** Nothing for an agent that cannot be forked here, or does not want to be. */
export function templateOf(context: WorkerContext, turn: Turn): Pick<WarmRecipe, "startTemplate"> {
  const { driver, settings } = context;
  const isWanted = settings.usesTemplates && turn.manifest.runtime.load !== "every_turn";
  // A process of Node has threads from its start.
  if (!isWanted || turn.image.runtime.language !== "python" || !driver.canFork) return {};
  return { startTemplate: (slotDir, mounts, signal) => startTemplate(context, turn, { slotDir, mounts, signal }) };
}

async function startTemplate(
  context: WorkerContext,
  turn: Turn,
  { slotDir, mounts, signal }: { slotDir: string; mounts: SlotMounts; signal: AbortSignal },
): Promise<WarmTemplate | string> {
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
    const onConnection = egressOfWaiting(context, turn).tell;
    const spec = await specOf(context, turn, { imageDir: image.dir, slotDir, onConnection, isTemplate: true });
    sandbox = await context.driver.prepareTemplate({ ...spec, mounts });
    const loaded = sandbox === undefined ? "this machine has no way to" : await load(turn, sandbox, signal);
    const isUntouched = await mounts.isUntouched(slotDir);
    if (typeof loaded === "object" && isUntouched) {
      return templateIn(context, turn, { template: sandbox!, said: loaded, end });
    }
    await end();
    return typeof loaded === "string" ? loaded : "its code wrote to its directory before its turn came";
  } catch (error) {
    await end();
    throw error;
  }
}

/** What its code has said meanwhile; text: why it cannot be forked. */
async function load(turn: Turn, sandbox: SandboxTemplate, signal: AbortSignal): Promise<ImportWords | string> {
  const words = collectWords(sandbox);
  const what = { entry: turn.image.entry, imageDir: sandbox.paths.image, sdk: turn.manifest.sdk, signal };
  return (await loadTemplate(sandbox, what)) ?? words;
}

function templateIn(
  context: WorkerContext,
  turn: Turn,
  { template, said, end }: { template: SandboxTemplate; said: ImportWords; end: () => Promise<void> },
): WarmTemplate {
  return {
    exited: template.exited,
    async fork(slotDir, mounts): Promise<WarmGuest> {
      const egress = egressOfWaiting(context, turn);
      const sandbox = await template.fork({ slotDir, mounts, onConnection: egress.tell });
      let isFirst = true;
      const give: WarmGuest["give"] = (to, logs) => {
        egress.give(to, logs);
        if (!isFirst) return;
        isFirst = false;
        showWords(said, to.scrubber, logs);
      };
      return { sandbox, isLoaded: true, release: () => {}, give };
    },
    end,
  };
}
