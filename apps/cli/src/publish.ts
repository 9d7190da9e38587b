// Uploads a bundle, publishes it, and shows its build: what `dari deploy` and `dari dev` do.

import { type Client, ApiError } from "@dari/client";
import type { Manifest, SourceSnapshotCreated, VersionRecord } from "@dari/contract";
import { openAsBlob } from "node:fs";
import type { Bundle } from "./bundle/pack-bundle.ts";
import { CliError } from "./exit.ts";

export interface Published {
  readonly agent_id: string;
  readonly deployment_id: string;
  readonly version_id: string;
  readonly warnings?: readonly string[];
  readonly unchanged?: true;
}

/** A bundle that the platform has accepted. */
export interface Source {
  readonly snapshotId: string;
  readonly manifest: Manifest;
}

/** Uploads the bundle. Resolves with the snapshot's id once the platform has accepted the contents. */
export async function uploadBundle(client: Client, bundle: Bundle, signal: AbortSignal): Promise<string> {
  const { sha256, size_bytes, metadata } = bundle;
  const request = { format: "tar.gz", sha256, size_bytes, metadata } as const;
  const reserved: SourceSnapshotCreated = await client.createSourceSnapshot(request, { signal });
  await client.uploadReservedBundle(reserved, await openAsBlob(bundle.archivePath), { signal });
  const checked = await client.finalizeSourceSnapshot(reserved.source_snapshot_id, { signal });
  if (checked.status === "failed") {
    const reason = checked.failure_reason ?? "no reason given";
    throw new CliError(
      `the platform refused the bundle: ${reason}; run the command again, or report it to an operator`,
    );
  }
  return reserved.source_snapshot_id;
}

/** Deletes a bundle that no version uses. A failure is ignored: the retention deletes it later. */
export async function discardBundle(client: Client, snapshotId: string): Promise<void> {
  await client.deleteSourceSnapshot(snapshotId).catch(() => undefined);
}

/** Publishes a version, unless the current one is the same and `onlyIfChanged`. A refused bundle is deleted. */
export async function publishVersion(
  client: Client,
  agent: string,
  { snapshotId, manifest }: Source,
  options: { readonly onlyIfChanged?: boolean; readonly activate?: boolean },
): Promise<Published> {
  const { onlyIfChanged = false, activate = true } = options;
  const body = { manifest: { ...manifest }, source_snapshot_id: snapshotId };
  const choices = { ...(onlyIfChanged ? { only_if_changed: true } : {}), ...(activate ? {} : { activate }) };
  try {
    const published = await client.createVersion(agent, { ...body, ...choices });
    if (published.unchanged) await discardBundle(client, snapshotId);
    return published;
  } catch (error) {
    if (error instanceof ApiError) await discardBundle(client, snapshotId);
    throw error;
  }
}

/**
 * Creates an agent. Resolves with undefined if another one has the name; the bundle is kept then. Any other refusal
 * deletes it.
 */
export async function publishAgent(
  client: Client,
  name: string,
  { snapshotId, manifest }: Source,
): Promise<Published | undefined> {
  const body = { manifest: { ...manifest }, source_snapshot_id: snapshotId };
  try {
    return await client.createAgent({ name, on_name_conflict: "refuse", ...body });
  } catch (error) {
    if (error instanceof ApiError && error.code === "agent_name_taken") return undefined;
    if (error instanceof ApiError) await discardBundle(client, snapshotId);
    throw error;
  }
}

/** Shows a build's log in whole lines until the build ends. Resolves with the version, ready or failed. */
export async function followBuild(
  client: Client,
  published: Published,
  show: (text: string) => void,
  signal: AbortSignal,
): Promise<VersionRecord> {
  let rest = "";
  for await (const text of client.followBuildLogs(published.version_id, { signal })) {
    const end = (rest + text).lastIndexOf("\n") + 1;
    if (end > 0) show((rest + text).slice(0, end));
    rest = (rest + text).slice(end);
  }
  if (rest !== "") show(rest);
  return client.waitForVersion(published.agent_id, published.version_id, { signal });
}

/** Returns why a build failed, in the words for a terminal: its log was just shown. */
export function describeFailedBuild(version: VersionRecord): string {
  const { code, message } = version.failure ?? { code: "build_failed", message: "no reason was given" };
  const [first = "", ...more] = message.trim().split("\n");
  const where = more.length === 0 ? "" : `\nSee the log above, or run: dari agents build-logs ${version.id}`;
  return `the build of ${version.id} failed: ${first.replace(/:$/, "")} (${code})${where}`;
}
