// The versions of `dari dev`: publishes the directory after each save, without activating it, one build at a time.

import type { Client } from "@dari/client";
import type { Manifest, VersionRecord } from "@dari/contract";
import { buildBundle, type Bundle } from "../bundle/pack-bundle.ts";
import type { Context } from "../context.ts";
import { CliError } from "../exit.ts";
import { describeFailedBuild, followBuild, publishVersion, uploadBundle, type Published } from "../publish.ts";
import { publishTo, type PublishOptions } from "../publish-to.ts";
import { readManifest } from "../read-manifest.ts";
import { debounce } from "./debounce.ts";
import { watchFiles } from "./watch-files.ts";

/** Editors write a file in several steps. Milliseconds. */
const quietMs = 150;

export interface DevVersions extends Disposable {
  readonly agentId: string;
  /** The newest version that is ready. */
  readonly newest: VersionRecord | undefined;
  /** Resolves when no change waits to be published. */
  settle(): Promise<void>;
  /** Resolves when a version is ready. Rejects when the signal aborts. */
  untilReady(): Promise<VersionRecord>;
}

export interface DevOptions extends PublishOptions {
  readonly root: string;
  /** Shows a line. */
  readonly say: (line: string) => void;
}

interface State {
  agentId: string | undefined;
  newest: VersionRecord | undefined;
  /** The checksum of the bundle that was published last. */
  sha256: string | undefined;
}

/** Publishes the directory once, then after each change. @throws CliError if the first bundle cannot be published */
export async function openDevVersions(context: Context, client: Client, options: DevOptions): Promise<DevVersions> {
  const { signal } = context;
  const { root, say } = options;
  const state: State = { agentId: undefined, newest: undefined, sha256: undefined };
  const settled = new EventTarget();
  let pending = 0;
  const publishAll = async (): Promise<void> => {
    const seen = pending;
    await publishOnce(context, client, options, state, watch.follow).catch((error: unknown) => {
      if (!signal.aborted) say(error instanceof Error ? error.message : String(error));
    });
    pending -= seen;
    settled.dispatchEvent(new Event("settled"));
  };
  const changes = debounce(publishAll, quietMs);
  const watch = watchFiles(root, () => {
    pending += 1;
    changes.notify();
  });
  const dispose = (): void => {
    watch[Symbol.dispose]();
    changes[Symbol.dispose]();
  };
  try {
    await publishOnce(context, client, options, state, watch.follow);
  } catch (error) {
    // The next save can fix a build that failed.
    if (state.agentId === undefined) {
      dispose();
      throw error;
    }
    say(error instanceof Error ? error.message : String(error));
  }
  const nextSettled = (): Promise<void> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      settled.addEventListener("settled", () => resolve(), { once: true, signal });
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  return {
    get agentId() {
      return state.agentId!;
    },
    get newest() {
      return state.newest;
    },
    async settle() {
      while (pending > 0) await nextSettled();
    },
    async untilReady() {
      while (state.newest === undefined) await nextSettled();
      return state.newest;
    },
    [Symbol.dispose]: dispose,
  };
}

/** The platform deletes unused versions with this mark after a week. */
const devMark = { dari_dev: true };

/** Publishes the directory if it has changed. Resolves when the build has succeeded. @throws if the build failed */
async function publishOnce(
  context: Context,
  client: Client,
  options: DevOptions,
  state: State,
  follow: (paths: readonly string[]) => void,
): Promise<void> {
  const { root, say } = options;
  const manifest = await readManifest(root);
  await using bundle = await buildBundle(root, context.io.environment, devMark);
  follow(bundle.files.map(({ path }) => path));
  if (bundle.sha256 === state.sha256) return;
  state.sha256 = bundle.sha256;
  say("Building…");
  try {
    await publishBundle(context, client, options, state, { bundle, manifest });
  } catch (error) {
    // The next save tries again, even if it changes nothing.
    if (state.sha256 === bundle.sha256) state.sha256 = undefined;
    throw error;
  }
}

/** @throws if the bundle is not accepted, or its build fails */
async function publishBundle(
  context: Context,
  client: Client,
  options: DevOptions,
  state: State,
  { bundle, manifest }: { readonly bundle: Bundle; readonly manifest: Manifest },
): Promise<void> {
  const { signal } = context;
  const { say } = options;
  const startedAt = performance.now();
  const source = { snapshotId: await uploadBundle(client, bundle, signal), manifest };
  const published: Published =
    state.agentId === undefined
      ? await publishTo(context, client, source, { ...options, activate: false })
      : await publishVersion(client, state.agentId, source, { activate: false });
  state.agentId = published.agent_id;
  let log = "";
  const version = await followBuild(client, published, (text) => (log += text), signal);
  if (version.status !== "ready") throw new CliError(`${log}${describeFailedBuild(version)}`);
  // The first build can end after that of a later save.
  if (version.number > (state.newest?.number ?? 0)) state.newest = version;
  for (const warning of version.warnings) say(`Warning: ${warning}`);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  say(`Version ${version.number} is ready after ${seconds} s${version.active ? ", and active" : ""}`);
}
