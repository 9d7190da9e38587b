// `npm run quickstart`: starts the platform, runs the six steps in front of the user, stops, and says what to do next.

import path from "node:path";
import { createRuntimes } from "@dari/builder";
import { limits } from "@dari/domain";
import { runMain } from "@dari/runtime";
import { callerDirectory, readStandaloneConfig, type StandaloneConfig } from "../config.ts";
import { DataDirInUseError, readConnection, type Connection } from "../data-dir.ts";
import { startPlatform } from "../platform.ts";
import { heading, say } from "./show.ts";
import { addCredentials, sixSteps } from "./six-steps.ts";
import { isPortFree } from "@dari/embedded";

const checkout = path.resolve(import.meta.dirname, "../../../..");
const startedAt = performance.now();

/** Time to end the services, after the grace for turns. Milliseconds. */
const afterGraceMs = 20_000;
let graceMs: number = limits.shutdownGraceMs;

await runMain(run, {
  // Read when the signal arrives, because the settings are known only then.
  get graceMs() {
    return graceMs + afterGraceMs;
  },
  stopNowMs: afterGraceMs,
});

async function run(signal: AbortSignal, stack: AsyncDisposableStack, stopNow: AbortSignal): Promise<void> {
  const config = readStandaloneConfig(callerDirectory());
  graceMs = config.shutdownGraceMs;
  heading("Starting Dari");
  const { connection, isOurs } = await connect(config, stack, { signal, stopNow });
  const common = {
    apiUrl: connection.api_url,
    apiKey: connection.api_key,
    checkout,
    signal,
    environment: config.environment,
  };
  await addCredentials(common);
  const examples = [{ language: "TypeScript", example: "examples/support-agent-ts" }];
  if (await hasPython(config)) examples.push({ language: "Python", example: "examples/support-agent-python" });
  else say("\nNo Python 3.10 or newer was found, so the Python example is left out.");
  const pages: string[] = [];
  for (const example of examples) pages.push(await sixSteps({ ...common, ...example }));
  heading(`Done in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s. Next:`);
  const install = `curl -fsSL ${connection.api_url}/install.sh | sh`;
  const next = (line: string, what: string): void => say(`  ${line.padEnd(install.length)}  ${what}`);
  if (isOurs) next("npm start", "keep the platform running; use another terminal for the rest");
  next(install, "install the dari command");
  next("dari init my-agent", "write an agent of your own");
  next("dari deploy my-agent", "and deploy it");
  heading(isOurs ? "The sessions in the console, while `npm start` runs:" : "The sessions in the console:");
  for (const page of pages) say(`  ${page}`);
}

/** Connects to the platform that already runs on this data directory, or starts one (`isOurs`), which ends with us. */
async function connect(
  config: StandaloneConfig,
  stack: AsyncDisposableStack,
  stops: { readonly signal: AbortSignal; readonly stopNow: AbortSignal },
): Promise<{ readonly connection: Connection; readonly isOurs: boolean }> {
  const free = config.port !== 0 && (await isPortFree(config.port));
  try {
    const chosen = free ? config : { ...config, port: 0 };
    const platform = await startPlatform(chosen, (text) => say(`· ${text}`), stack, stops);
    say(`· ready at ${platform.connection.api_url}, turns by ${platform.delivery}, agents run ${platform.isolation}`);
    for (const missing of platform.missing) say(`  ${missing}`);
    return { connection: platform.connection, isOurs: true };
  } catch (error) {
    const running = error instanceof DataDirInUseError ? await readConnection(config.dataDir) : undefined;
    if (running === undefined) throw error;
    say(`· using the platform that runs at ${running.api_url}`);
    return { connection: running, isOurs: false };
  }
}

async function hasPython(config: StandaloneConfig): Promise<boolean> {
  const runtimes = createRuntimes({
    cacheDir: path.join(config.dataDir, "work", "runtimes"),
    allowNearest: true,
    env: config.environment,
  });
  return runtimes.resolve("python", undefined).then(
    () => true,
    () => false,
  );
}
