// The pool's recipe for an agent: which turns can use the same sandbox, and how it is started.

import { createHash, randomBytes } from "node:crypto";
import { preloadAgent } from "@dari/harness";
import { agentTemplate } from "./agent-template.ts";
import type { AgentContext, AgentTurn } from "./agent-turn.ts";
import type { SandboxRecipe, StartedSandbox } from "./recipe.ts";
import { createAgentSpec, routeReports } from "./start-agent.ts";

/** Returns the recipe for the turn's agent. It holds nothing of the turn itself. */
export function agentRecipe<T extends AgentTurn>(context: AgentContext<T>, turn: T): SandboxRecipe {
  return {
    key: digestOf(keyOf(turn)),
    group: `${turn.organizationId}/${turn.versionId}`,
    shared: sharedValues(turn),
    hostUser: context.hostUserOf?.(turn.organizationId),
    session: canServeSession(context, turn) ? turn : undefined,
    ...agentTemplate(context, turn),
    async start(slot, { isPreload }): Promise<StartedSandbox> {
      const image = await context.images.ensure(turn.image);
      try {
        const { reports, assignTo } = routeReports(context, turn);
        const spec = await createAgentSpec(context, turn, { ...slot, imageDir: image.dir, reports });
        const sandbox = await context.driver.prepare(spec);
        const { channel, paths } = sandbox;
        if (isPreload) {
          preloadAgent({ channel, entry: turn.image.entry, imageDir: paths.image, sdk: turn.manifest.sdk });
        }
        return { sandbox, assignTo, release: () => image.release() };
      } catch (error) {
        image.release();
        throw error;
      }
    },
  };
}

/**
 * With a limit on processor time, each turn has its own process, because the kernel counts a process's time from its
 * start.
 */
function canServeSession(
  { settings, driver }: Pick<AgentContext, "settings" | "driver">,
  { manifest }: AgentTurn,
): boolean {
  if (manifest.runtime.reuse !== "session" || !driver.canRest) return false;
  return settings.keepMs > 0 && settings.limits.cpuSeconds === undefined;
}

/** Keeps the digests from revealing the secrets in them. */
const salt = randomBytes(32);

function digestOf(value: unknown): string {
  return createHash("sha256").update(salt).update(JSON.stringify(value)).digest("base64url");
}

function keyOf(turn: AgentTurn): readonly unknown[] {
  const { organizationId, versionId, image, manifest, egress, turnBounds } = turn;
  const environment = Object.entries(turn.environment.reveal()).sort(([one], [other]) => (one < other ? -1 : 1));
  return [organizationId, versionId, image, manifest.sdk, egress, turnBounds, environment];
}

/** Returns digests of the values that all turns of the version share until one is changed. */
function sharedValues(turn: AgentTurn): ReadonlyMap<string, string> {
  const shared = Object.entries(turn.environment.reveal()).filter(([name]) => !turn.sessionSecrets.has(name));
  const { session: _session, ...egress } = turn.egress;
  // These names cannot clash: variables have names in upper case.
  const rules = [["egress", egress] as const, ["bounds", turn.turnBounds ?? null] as const];
  return new Map([...rules, ...shared].map(([name, value]) => [name, digestOf(value)]));
}
