// The agents whose starts are measured: built by the platform's builder, in images that this machine has unpacked. Each
// prints one word and then writes one file. Two of them import an SDK, from package registries, and create its agent;
// no model is called.

import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { createFilesystemBlobStore, type BlobStore } from "@dari/blobs";
import { buildImage, bundleNodeGuest, createRuntimes, openImageCache } from "@dari/builder";
import type { DependencyLayerRef, DependencyLayerRegistry } from "@dari/bundles";
import { parseManifest } from "@dari/contract";
import { guestCommand, type Entry, type GuestCommand } from "@dari/harness";
import { forkModule } from "@dari/native";
import type { SandboxDriver } from "@dari/sandbox";
import { packBundle, type BundleFiles } from "../../bundle.ts";
import { machineEnvironment } from "../../config.ts";

export interface Agent {
  readonly name: AgentName;
  readonly sdk: string;
  /** The unpacked image. */
  readonly imageDir: string;
  readonly entry: Entry;
  /** The author's file, which loads packages one by one. */
  readonly sourceEntry: Entry;
  readonly guest: GuestCommand;
  /** Starts the author's file. */
  readonly sourceGuest: GuestCommand;
  /** The guest of an agent that is loaded once and forked. */
  readonly templateGuest: GuestCommand;
  /** The guest as one script, as a worker starts those of Node. */
  readonly script: string | undefined;
}

const typescript = "runtime: {language: typescript}\n";
const writesFile = 'import { writeFileSync } from "node:fs";\n';
const writes = 'writeFileSync("turn.txt", prompt);';

const sources = {
  "noop-js": {
    "dari.yml": `name: noop-js\nsdk: opencode\nentrypoint: agent.js:agent\n${typescript}`,
    "package.json": '{"type":"module"}',
    "agent.js": `${writesFile}export function* agent(prompt) {\n  yield "ok";\n  ${writes}\n}\n`,
  },
  "noop-python": {
    "dari.yml": "name: noop-python\nsdk: openai-agents\nentrypoint: agent.py:agent\n",
    "agent.py": 'def agent(prompt):\n    yield "ok"\n    open("turn.txt", "w").write(prompt)\n',
  },
  "sdk-js": {
    "dari.yml": `name: sdk-js\nsdk: openai-agents\nentrypoint: agent.js:agent\n${typescript}`,
    "package.json": '{"type":"module","dependencies":{"@openai/agents":"0.20.0","zod":"4.6.7"}}',
    "agent.js": [
      `import { Agent } from "@openai/agents";\n${writesFile}`,
      `const helper = new Agent({ name: "ok", instructions: "Help." });`,
      `export function* agent(prompt) {\n  yield helper.name;\n  ${writes}\n}\n`,
    ].join("\n"),
  },
  "sdk-python": {
    "dari.yml": "name: sdk-python\nsdk: openai-agents\nentrypoint: agent.py:agent\n",
    "requirements.txt": "openai-agents==0.24.0\n",
    "agent.py": [
      "from agents import Agent\n",
      'helper = Agent(name="ok", instructions="Help.")\n',
      'def agent(prompt):\n    yield helper.name\n    open("turn.txt", "w").write(prompt)\n',
    ].join("\n"),
  },
} satisfies Record<string, BundleFiles>;

export type AgentName = keyof typeof sources;
export const agentNames = Object.keys(sources) as AgentName[];

/** Builds all of them below `dir`. @throws if one cannot be built, for example without a registry. */
export async function buildAgents(dir: string, driver: SandboxDriver): Promise<Agent[]> {
  const store = createFilesystemBlobStore({ root: path.join(dir, "images-store") });
  const runtimes = createRuntimes({
    cacheDir: path.join(dir, "runtimes"),
    env: machineEnvironment(),
    allowNearest: true,
  });
  const cache = openImageCache({ dir: path.join(dir, "images"), store, maxBytes: 8 * 1024 ** 3 });
  const layers = { registry: rememberLayers(), cache };
  const script = await writeGuest(dir);
  const agents: Agent[] = [];
  for (const name of agentNames) {
    const image = await build(name, { dir, store, driver, runtimes, layers });
    const { language, version } = image.runtime;
    const runtime = await runtimes.resolve(language, version);
    const sourceGuest = guestCommand(language, runtime.command, { nodeScript: script });
    const guest = guestCommand(language, runtime.command, { entryFile: image.entry.file, nodeScript: script });
    const readable = [...guest.readOnlyPaths, ...runtime.readOnlyPaths];
    const forked = { entryFile: image.entry.file, nodeScript: script, isTemplate: true, forkModule };
    const template = guestCommand(language, runtime.command, forked);
    agents.push({
      name,
      sdk: manifestOf(name).sdk,
      imageDir: (await cache.ensure(image)).dir,
      entry: image.entry,
      sourceEntry: { ...image.entry, file: language === "python" ? "agent.py" : "agent.js" },
      guest: { ...guest, readOnlyPaths: readable },
      sourceGuest,
      templateGuest: { ...template, readOnlyPaths: [...template.readOnlyPaths, ...runtime.readOnlyPaths] },
      script: language === "python" ? undefined : script,
    });
  }
  return agents;
}

async function build(
  name: AgentName,
  {
    dir,
    ...means
  }: { dir: string; store: BlobStore } & Pick<Parameters<typeof buildImage>[0], "driver" | "runtimes" | "layers">,
) {
  const bundleFile = path.join(dir, `${name}.tar.gz`);
  await writeFile(bundleFile, packBundle(sources[name]));
  let log = "";
  const result = await buildImage({
    ...means,
    bundleFile,
    manifest: manifestOf(name),
    keyPrefix: "org",
    workDir: path.join(dir, "builds"),
    log: (text) => void (log += text),
    signal: new AbortController().signal,
  });
  if (!result.ok) throw new Error(`${name} was not built: ${result.failure.message}\n${log}`);
  return result.image;
}

function manifestOf(name: AgentName) {
  const parsed = parseManifest(sources[name]["dari.yml"]);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.manifest;
}

/** Writes the guest as each worker does when it starts. */
async function writeGuest(dir: string): Promise<string> {
  const file = path.join(dir, "guest", "main.cjs");
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, await bundleNodeGuest());
  return file;
}

function rememberLayers(): DependencyLayerRegistry {
  const layers = new Map<string, Promise<DependencyLayerRef>>();
  return {
    obtain(key, make, signal) {
      const layer = layers.get(key) ?? make(signal);
      layers.set(key, layer);
      return layer;
    },
  };
}
