// `dari deploy`: checks the manifest, bundles, uploads, publishes, and shows the build until it has ended.

import { type Client, ApiError } from "@dari/client";
import type { Manifest, SourceSnapshotCreated, VersionRecord } from "@dari/contract";
import type { Command } from "commander";
import { openAsBlob } from "node:fs";
import type { Bundle } from "../bundle/bundle.ts";
import { type Context, createContext, type Io } from "../context.ts";
import { deployStatePath, findDeployedAgent, rememberDeployedAgent } from "../deploy-state.ts";
import { createDeployProgress, type DeployProgress } from "../deploy-progress.ts";
import { CliError, exitCodes } from "../exit.ts";
import { formatBytes, table } from "../output.ts";
import { readManifest } from "./manifest.ts";

interface DeployOptions {
  readonly agentId?: string;
  readonly dryRun?: boolean;
}

interface Published {
  readonly agent_id: string;
  readonly deployment_id: string;
  readonly version_id: string;
  readonly warnings?: readonly string[];
}

export function addDeployCommand(program: Command, io: Io): void {
  program
    .command("deploy [root]")
    .description("publish a directory as a new version of its agent and wait for its build")
    .option("--agent-id <id>", "agent to publish to (default: the one this directory was deployed as, or a new one)")
    .option("--dry-run", "show what would be uploaded, without any request")
    .action(async (root: string | undefined, options: DeployOptions, command: Command) => {
      const context = createContext(io, command);
      await deploy(context, root ?? ".", options);
    });
}

async function deploy(context: Context, root: string, options: DeployOptions): Promise<void> {
  const { output } = context;
  const progress = createDeployProgress(output);
  const manifest = await readManifest(root);
  // Imported here, so that other commands start without it.
  const { buildBundle } = await import("../bundle/bundle.ts");
  await using bundle = await buildBundle(root, context.io.environment);
  if (options.dryRun === true) {
    output.result(describeBundle(bundle, manifest), () => renderBundle(bundle));
    return;
  }
  const { apiUrl } = await context.connection();
  const client = await context.client();
  const agentId = options.agentId ?? (await findDeployedAgent(root, apiUrl));
  progress.done("bundle");
  progress.say(`Bundle: ${countFiles(bundle)}, ${formatBytes(bundle.size_bytes)}, sha256 ${bundle.sha256}`);
  const snapshot = await upload(client, bundle, context.signal);
  progress.done("upload");
  const published = await publish(client, snapshot, manifest, agentId).catch((error: unknown) => {
    throw explainUnknownAgent(error, { root, apiUrl, remembered: options.agentId === undefined ? agentId : undefined });
  });
  await rememberDeployedAgent(root, apiUrl, published.agent_id);
  progress.done("publish");
  progress.say(`Agent ${published.agent_id}: building version ${published.version_id}`);
  for (const warning of published.warnings ?? []) progress.say(`Warning: ${warning}`);
  const version = await followBuild(context, client, published, progress);
  const { timings } = progress;
  progress.say(`Ready after ${((timings["total"] ?? 0) / 1_000).toFixed(1)} s`);
  output.result({ ...published, version_status: version.status, version, timings_ms: timings }, () => {
    return `Deployed ${manifest.name} as ${published.agent_id}, version ${version.number} (${version.id})`;
  });
  output.hint(`dari session create ${published.agent_id}`);
}

/** Uploads the bundle. Returns the snapshot's id once the platform has accepted the contents. */
async function upload(client: Client, bundle: Bundle, signal: AbortSignal): Promise<string> {
  const { sha256, size_bytes, metadata } = bundle;
  const request = { format: "tar.gz", sha256, size_bytes, metadata } as const;
  const reserved: SourceSnapshotCreated = await client.createSourceSnapshot(request, { signal });
  await client.uploadBundle(reserved, await openAsBlob(bundle.archivePath), { signal });
  const checked = await client.finalizeSourceSnapshot(reserved.source_snapshot_id, { signal });
  if (checked.status === "failed") {
    const reason = checked.failure_reason ?? "no reason given";
    throw new CliError(
      `the platform refused the bundle: ${reason}; run the command again, or report it to an operator`,
    );
  }
  return reserved.source_snapshot_id;
}

async function publish(
  client: Client,
  snapshotId: string,
  manifest: Manifest,
  agentId: string | undefined,
): Promise<Published> {
  const body = { manifest: { ...manifest }, source_snapshot_id: snapshotId };
  try {
    if (agentId !== undefined) return await client.createVersion(agentId, body);
    return await client.createAgent({ name: manifest.name, ...body });
  } catch (error) {
    // Delete the refused bundle. If this fails too, show the first error.
    if (error instanceof ApiError) await client.deleteSourceSnapshot(snapshotId).catch(() => undefined);
    throw error;
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
  const advice = `pass --agent-id, or remove ${deployStatePath(root)} to deploy a new agent`;
  const found = `this directory was deployed as ${remembered}, which does not exist at ${apiUrl}`;
  return new CliError(`${found}; ${advice}`, exitCodes.notFound);
}

async function followBuild(
  context: Context,
  client: Client,
  published: Published,
  progress: DeployProgress,
): Promise<VersionRecord> {
  const { output, signal } = context;
  let rest = "";
  for await (const text of client.buildLogs(published.version_id, { follow: true, signal })) {
    const end = (rest + text).lastIndexOf("\n") + 1;
    if (end > 0) progress.log((rest + text).slice(0, end));
    rest = (rest + text).slice(end);
  }
  if (rest !== "") progress.log(rest);
  const version = await client.waitForVersion(published.agent_id, published.version_id, { signal });
  progress.done("build");
  const said = new Set(published.warnings);
  for (const warning of version.warnings.filter((one) => !said.has(one))) progress.say(`Warning: ${warning}`);
  if (version.status === "ready") return version;
  const { code, message } = version.failure ?? { code: "build_failed", message: "no reason was given" };
  if (output.isJson)
    output.result({ ...published, version_status: version.status, version, timings_ms: progress.timings }, () => "");
  // The log above already contains the other lines of the message. Programs get the whole message in the result.
  const [first = "", ...more] = message.trim().split("\n");
  const where = more.length === 0 ? "" : `\nSee the log above, or run: dari agents build-logs ${version.id}`;
  throw new CliError(`the build of ${version.id} failed: ${first.replace(/:$/, "")} (${code})${where}`);
}

function describeBundle(bundle: Bundle, manifest: Manifest) {
  const { files, sha256, size_bytes, metadata } = bundle;
  return { bundle: { file_count: files.length, sha256, size_bytes, metadata }, files, manifest };
}

function renderBundle(bundle: Bundle): string {
  const rows = bundle.files.map((file) => [file.path, String(file.size_bytes), file.mode.toString(8)]);
  return [
    table(["FILE", "BYTES", "MODE"], rows),
    "",
    `${countFiles(bundle)}, ${bundle.size_bytes} bytes compressed`,
    `sha256 ${bundle.sha256}`,
  ].join("\n");
}

function countFiles({ files }: Bundle): string {
  return files.length === 1 ? "1 file" : `${files.length} files`;
}
