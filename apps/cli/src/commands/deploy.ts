// `dari deploy`: checks the manifest, bundles, uploads, publishes, and shows the build until it has ended.

import type { Client } from "@dari/client";
import type { Manifest, VersionRecord } from "@dari/contract";
import type { Command } from "commander";
import type { Bundle } from "../bundle/pack-bundle.ts";
import { agentAddress } from "../console-address.ts";
import { type Context, createContext, type Io } from "../context.ts";
import { createDeployProgress, type DeployProgress } from "../deploy-progress.ts";
import { CliError, invalid } from "../exit.ts";
import { agentOption } from "../options.ts";
import { formatBytes, table } from "../output.ts";
import { describeFailedBuild, followBuild, uploadBundle, type Published } from "../publish.ts";
import { publishTo, type PublishOptions } from "../publish-to.ts";
import { readManifest } from "../read-manifest.ts";

interface DeployOptions extends PublishOptions {
  readonly dryRun?: boolean;
  readonly activate: boolean;
}

export function addDeployCommand(program: Command, io: Io): void {
  program
    .command("deploy [root]")
    .description("publish a directory as a new version of its agent and wait for its build")
    .addOption(agentOption("agent to publish to (default: the one this directory was deployed as, or a new one)"))
    .option("--new <name>", "create an agent with this name")
    .option("--force", "publish a version even if nothing has changed")
    .option("--no-activate", "keep the active version, unless the agent is new; `dari agents activate` makes it active")
    .option("--dry-run", "show what would be uploaded, without any request")
    .action(async (root: string | undefined, options: DeployOptions, command: Command) => {
      if (options.new !== undefined && options.agentId !== undefined) throw invalid("give either --agent or --new");
      await deploy(createContext(io, command), root ?? ".", options);
    });
}

async function deploy(context: Context, root: string, options: DeployOptions): Promise<void> {
  const { output, signal } = context;
  const progress = createDeployProgress(output);
  const manifest = await readManifest(root);
  // Imported here, so that other commands start without it.
  const { buildBundle } = await import("../bundle/pack-bundle.ts");
  await using bundle = await buildBundle(root, context.io.environment);
  if (options.dryRun === true) {
    output.result(describeBundle(bundle, manifest), () => renderBundle(bundle));
    return;
  }
  const { apiUrl } = await context.connection();
  const client = await context.client();
  progress.done("bundle");
  progress.say(`Bundle: ${countFiles(bundle)}, ${formatBytes(bundle.size_bytes)}, sha256 ${bundle.sha256}`);
  const source = { snapshotId: await uploadBundle(client, bundle, signal), manifest };
  progress.done("upload");
  const published = await publishTo(context, client, source, { ...options, root });
  progress.done("publish");
  const version = await showBuild(context, client, published, progress);
  const { timings } = progress;
  // The reply to the publication is older than the build.
  const result = { ...published, version_status: version.status, ...activeVersionOf(version), version };
  progress.say(`Ready after ${((timings["total"] ?? 0) / 1_000).toFixed(1)} s`);
  const console_url = agentAddress(apiUrl, published.agent_id);
  output.result({ ...result, console_url, timings_ms: timings }, () => {
    const what = published.unchanged ? "Nothing has changed:" : "Deployed";
    const as = `${manifest.name} as ${published.agent_id}, version ${version.number} (${version.id})`;
    if (published.unchanged) return `${what} ${as}; publish it again with --force`;
    return options.activate ? `${what} ${as}` : `${what} ${as}; \`dari agents activate\` makes it active`;
  });
  if (!output.isJson) output.progress(`Console: ${console_url}`);
  output.hint(root === "." ? "dari chat" : `cd ${root} && dari chat`);
}

async function showBuild(
  context: Context,
  client: Client,
  published: Published,
  progress: DeployProgress,
): Promise<VersionRecord> {
  const { output, signal } = context;
  if (!published.unchanged) progress.say(`Agent ${published.agent_id}: building version ${published.version_id}`);
  for (const warning of published.warnings ?? []) progress.say(`Warning: ${warning}`);
  const version = published.unchanged
    ? await client.waitForVersion(published.agent_id, published.version_id, { signal })
    : await followBuild(client, published, progress.log, signal);
  progress.done("build");
  const logged = new Set(published.warnings);
  for (const warning of version.warnings.filter((one) => !logged.has(one))) progress.say(`Warning: ${warning}`);
  if (version.status === "ready") return version;
  // The log has just shown the rest. Programs read it in the result.
  const result = { ...published, version_status: version.status, version, timings_ms: progress.timings };
  if (output.isJson) output.result(result, () => "");
  throw new CliError(describeFailedBuild(version));
}

function activeVersionOf({ active, id }: VersionRecord): { active_version_id?: string } {
  return active ? { active_version_id: id } : {};
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
