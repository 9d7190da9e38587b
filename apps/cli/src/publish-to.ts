// Decides which agent a bundle is published to, and asks if another agent has the name.

import { type Client, ApiError } from "@dari/client";
import type { Context } from "./context.ts";
import { deployStatePath, findDeployedAgent, rememberDeployedAgent } from "./deploy-state.ts";
import { CliError, exitCodes } from "./exit.ts";
import { rememberLast } from "./last-used.ts";
import { discardBundle, publishAgent, publishVersion, type Published, type Source } from "./publish.ts";

/** The options of `dari deploy` and `dari dev`. */
export interface PublishOptions {
  /** Id or name of the agent to publish to. */
  readonly agentId?: string;
  /** Name of a new agent. */
  readonly new?: string;
  readonly force?: boolean;
}

interface Target extends PublishOptions {
  readonly root: string;
  /** False: the version does not become active, unless it is a new agent's first one. */
  readonly activate?: boolean;
}

/** Publishes to the agent that is named, or that the directory was deployed as, or to a new one. Stores which. */
export async function publishTo(context: Context, client: Client, source: Source, target: Target): Promise<Published> {
  const { apiUrl } = await context.connection();
  const published = await publish(context, client, source, target);
  await rememberDeployedAgent(target.root, apiUrl, published.agent_id);
  await rememberLast(context, { agent: published.agent_id });
  return published;
}

async function publish(context: Context, client: Client, source: Source, target: Target): Promise<Published> {
  const { root, activate = true } = target;
  const { apiUrl } = await context.connection();
  const known = target.new === undefined ? await findDeployedAgent(root, apiUrl) : undefined;
  const agent = target.agentId ?? known;
  const choices = { onlyIfChanged: target.force !== true, activate };
  if (agent !== undefined) {
    return publishVersion(client, agent, source, choices).catch((error: unknown) => {
      throw explainUnknownAgent(error, { root, apiUrl, remembered: target.agentId === undefined ? agent : undefined });
    });
  }
  for (let name = target.new ?? source.manifest.name; ;) {
    const made = await publishAgent(client, name, source);
    if (made !== undefined) return made;
    const answer = await askForName(context, name, target.new !== undefined).catch(async (error: unknown) => {
      await discardBundle(client, source.snapshotId);
      throw error;
    });
    if (answer === "y") return publishVersion(client, name, source, choices);
    name = answer;
  }
}

/** Asks what to do about a name that another agent has. Resolves with `y`, or the name for a new agent. */
async function askForName({ io, output, connection }: Context, name: string, isNew: boolean): Promise<string> {
  const { apiUrl } = await connection();
  const taken = `an agent with the name ${JSON.stringify(name)} exists at ${apiUrl}`;
  const choices = "--agent <name> publishes a version of an agent, --new <name> creates another one";
  const isTerminal = io.stdin.isTTY && io.stderr.isTTY === true && !output.isJson;
  if (!isTerminal) {
    const why = isNew ? taken : `${taken}, and this directory was not deployed as that agent`;
    throw new CliError(`${why}; ${choices}`, exitCodes.conflict);
  }
  const { createInterface } = await import("node:readline/promises");
  const reader = createInterface({ input: io.stdin, output: io.stderr });
  try {
    io.stderr.write(`${taken[0]?.toUpperCase()}${taken.slice(1)}.\n`);
    const prompt = "Enter y to publish a new version of it, or a name for a new agent: ";
    const answer = (await reader.question(prompt, { signal: io.signal })).trim();
    if (answer === "" || answer === "n") throw new CliError(`nothing was published; ${choices}`, exitCodes.conflict);
    return answer === "yes" || answer === "Y" ? "y" : answer;
  } finally {
    reader.close();
  }
}

/**
 * Explains a 404 if the agent's id comes from this directory's deploy state. Usually the agent was deleted since. The
 * platform's own error cannot say where the id comes from.
 */
function explainUnknownAgent(
  error: unknown,
  { root, apiUrl, remembered }: { root: string; apiUrl: string; remembered: string | undefined },
): unknown {
  if (!(error instanceof ApiError) || error.status !== 404 || remembered === undefined) return error;
  const advice = `pass --agent, or remove ${deployStatePath(root)} to deploy a new agent`;
  const found = `this directory was deployed as ${remembered}, which does not exist at ${apiUrl}`;
  return new CliError(`${found}; ${advice}`, exitCodes.notFound);
}
