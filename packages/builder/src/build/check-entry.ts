// Loads the entrypoint once, as a turn would, so that an error fails the publication and not a turn.

import { copyFile, lstat, mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "@dari/contract";
import { limits, type Failure } from "@dari/domain";
import { checkEntrypoint, guestCommand, type EntrypointCheckResult } from "@dari/harness";
import type { Sandbox, SandboxSpec } from "@dari/sandbox";
import type { Runtime } from "../runtimes/runtime.ts";
import { BuildFailedError } from "./build-failed.ts";
import { printable } from "./build-log.ts";
import { packagesWithScripts } from "./find-install-scripts.ts";
import { adviseMissingPackages } from "./advise-missing-packages.ts";
import type { Entry } from "./resolve-entry.ts";
import { describeBound, logOutput, type BuildSandbox } from "./run-in-sandbox.ts";

/** Replaces every secret: a build has none, but modules read them when they load. */
const placeholderSecret = "dari-build-check";
const stackLinesShown = 8;
const sourceMaps = { NODE_OPTIONS: "--enable-source-maps" };
/** Frames of Node and of the guest do not help an agent's author. */
const foreignFrame = /^\s+at .*(node:internal\/|\/guest\/node\/)/;

export interface EntryCheck {
  readonly sandbox: BuildSandbox;
  /** The installed and compiled tree, which is the image of this run. */
  readonly tree: string;
  /** Where the run creates its own directories. */
  readonly dir: string;
  readonly manifest: Manifest;
  readonly runtime: Runtime;
  readonly entry: Entry;
  /** The file in the manifest. Messages name it, and not what it was compiled to. */
  readonly source: Entry;
  /** Warnings of the compiler. */
  readonly suspicions: readonly string[];
  /** Where to store the code cache that a bundled agent creates; a host path. */
  readonly codeCache?: string;
}

const codeCacheName = "dari-code-cache";
const codeCacheBytesMax = 64 * 1024 * 1024;

/**
 * @throws BuildFailedError: `entrypoint_not_found` or `unsupported_export`, from the guest; `build_failed` if the
 * module throws, exits, or does not load within `limits.entrypointCheckMs`.
 */
export async function checkEntry(options: EntryCheck): Promise<void> {
  const { sandbox, codeCache } = options;
  sandbox.signal.throwIfAborted();
  const slotDir = await makeSlot(options);
  const running = await sandbox.driver.prepare({
    ...guestSpec(options),
    imageDir: options.tree,
    slotDir,
    network: "none",
  });
  const answer = await ask(running, options);
  if (!answer.ok) {
    const { exceeded } = await running.collect();
    const bound = exceeded === undefined ? [] : [describeBound(exceeded, sandbox)];
    const suspicions = [...bound, ...options.suspicions];
    throw await explain(answer.failure, answer.stack, { ...options, suspicions, imageDir: running.paths.image });
  }
  if (codeCache !== undefined) await keepCodeCache(join(slotDir, "workspace"), codeCache);
}

async function makeSlot({ dir }: EntryCheck): Promise<string> {
  const slotDir = await mkdtemp(join(dir, "check-"));
  for (const name of ["workspace", "state"]) await mkdir(join(slotDir, name), { recursive: true });
  return slotDir;
}

function guestSpec({
  sandbox,
  runtime,
  manifest,
  entry,
  codeCache,
}: EntryCheck): Pick<SandboxSpec, "argv" | "env" | "readOnlyPaths" | "limits"> {
  const { memoryBytes } = sandbox.limits;
  const guest = guestCommand(runtime.language, runtime.command, {
    entryFile: entry.file,
    memoryBytes,
    nodeOptions: manifest.env["NODE_OPTIONS"],
  });
  const secrets = Object.fromEntries(manifest.secrets.map((name) => [name, placeholderSecret]));
  const making = codeCache === undefined ? {} : { DARI_CODE_CACHE: codeCacheName };
  return {
    argv: guest.argv,
    // So that a stack shows the agent's sources and not the compiled code.
    env: { ...(runtime.language === "typescript" ? sourceMaps : {}), ...manifest.env, ...secrets, ...making },
    readOnlyPaths: [...runtime.readOnlyPaths, ...guest.readOnlyPaths],
    limits: { ...sandbox.limits, reservedBytes: guest.reservedBytes },
  };
}

/** The sandbox is dead afterwards. @throws the signal's reason if it aborts */
async function ask(running: Sandbox, { sandbox, entry, manifest }: EntryCheck): Promise<EntrypointCheckResult> {
  const { signal } = sandbox;
  const logged = logOutput(running, sandbox.onLine);
  const abort = (): void => void running.kill().catch(() => {});
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    await running.claim();
    const { channel, exited, paths } = running;
    const what = { entry, imageDir: paths.image, workspace: paths.workspace, sdk: manifest.sdk };
    const answer = await checkEntrypoint({ channel, exited, ...what, timeoutMs: limits.entrypointCheckMs });
    await running.kill();
    await logged;
    signal.throwIfAborted();
    return answer;
  } finally {
    signal.removeEventListener("abort", abort);
    await running.kill();
  }
}

/** The agent's process wrote it, so do not trust it. Without a code cache, the agent only starts slower. */
async function keepCodeCache(workspace: string, target: string): Promise<void> {
  const file = join(workspace, codeCacheName);
  const found = await lstat(file).catch(() => undefined);
  if (found?.isFile() === true && found.size <= codeCacheBytesMax) await copyFile(file, target);
}

async function explain(
  found: Failure,
  stack: string | undefined,
  o: EntryCheck & { imageDir: string },
): Promise<BuildFailedError> {
  const relative = (text: string): string =>
    printable(text).replaceAll(`file://${o.imageDir}/`, "").replaceAll(`${o.imageDir}/`, "");
  if (found.code === "entrypoint_not_found" || found.code === "unsupported_export") {
    return new BuildFailedError(relative(found.message).replaceAll(o.entry.file, o.source.file), found.code);
  }
  const lines = (stack ?? "").split("\n").filter((line) => line.trim() !== "" && !foreignFrame.test(line));
  // The cause is in Python's last lines, and in Node's first ones.
  const isPython = o.runtime.language === "python";
  const nearest = isPython ? lines.slice(-stackLinesShown) : lines.slice(0, stackLinesShown);
  const says = found.message.split("\n")[0] ?? "";
  const details = nearest.some((line) => line.includes(says)) ? nearest : [found.message, ...nearest];
  const notRun = (await packagesWithScripts(o.tree, details.join("\n"))).map(
    (name) => `install scripts do not run, and ${name} has one: it may be incomplete`,
  );
  // The compiler's warnings may already name the missing package.
  const problems = [...details, ...adviseMissingPackages(details.join("\n")), ...notRun, ...o.suspicions];
  return new BuildFailedError(relative([`${o.source.file} could not be loaded:`, ...new Set(problems)].join("\n")));
}
