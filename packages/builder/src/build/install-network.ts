// Decides what an installer can connect to. Only the operator and the package managers decide that: no file of a bundle
// adds a host.

import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { EgressOptions, EgressRecord } from "@dari/gateway";
import type { EgressPolicy, EgressRule } from "@dari/network";
import type { SandboxSpec } from "@dari/sandbox";
import { toEgressRules, type Registries } from "../registries/registry-rules.ts";
import type { Runtime } from "../runtimes/runtime.ts";
import type { BuildLog } from "./build-log.ts";
import type { Installer } from "./installer.ts";
import { runInSandbox, succeeded, type BuildSandbox } from "./run-in-sandbox.ts";

export interface BuildEgress {
  /** `registries`: the package registries of this machine. `open`: also every public address. `off`: neither. */
  readonly mode: "registries" | "open" | "off";
  /** Further allowed hosts; in `off`, only endpoints. */
  readonly rules: readonly EgressRule[];
}

export const defaultBuildEgress: BuildEgress = { mode: "registries", rules: [] };

export interface InstallNetworkRequest {
  readonly egress: BuildEgress;
  readonly registries: Registries;
  readonly installer: Installer;
  readonly runtime: Runtime;
  readonly sandbox: BuildSandbox;
  /** Where to create directories. */
  readonly dir: string;
  readonly log: BuildLog;
}

export interface InstallNetwork {
  readonly network: SandboxSpec["network"];
  /** Refused connections so far, as `host:port`. The log has the reasons. */
  readonly refused: ReadonlySet<string>;
}

const refusalsShown = 20;
const megabytesMax = 16 * 1024;

/** Returns the host's network if this machine's driver does not restrict it. */
export async function installNetwork(request: InstallNetworkRequest): Promise<InstallNetwork> {
  const probe = await request.sandbox.driver.probe();
  if (!probe.ok || probe.guarantees.network !== "enforced") return { network: "open", refused: new Set() };
  const { mode, rules } = request.egress;
  if (mode === "off") return limited({ mode, rules }, request.log);
  const registries = await registriesOf(request);
  return limited({ mode: mode === "open" ? "open" : "allow", rules: [...rules, ...registries] }, request.log);
}

/** Without the worker's own proxy variables if only the sandbox's proxy can be reached. */
export function installEnvironment(
  { env }: Installer,
  network: SandboxSpec["network"],
): Readonly<Record<string, string>> {
  if (typeof network === "string") return env;
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(npm_config|pip)_(\w*_)?(no)?proxy$/i.test(name)),
  );
}

function limited(policy: EgressPolicy, log: BuildLog): InstallNetwork & { readonly network: EgressOptions } {
  const refused = new Set<string>();
  const onConnection = ({ host, port, verdict, reason }: EgressRecord): void => {
    if (verdict !== "refused" || refused.has(`${host}:${port}`) || refused.size >= refusalsShown) return;
    refused.add(`${host}:${port}`);
    log.line(`network: ${host}:${port} was refused: ${reason}`);
  };
  return { network: { policy, bytesMax: megabytesMax * 1024 ** 2, onConnection }, refused };
}

async function registriesOf(request: InstallNetworkRequest): Promise<readonly EgressRule[]> {
  const { registries, installer, runtime } = request;
  if (runtime.language === "python") return registries.python(runtime.command);
  const npm = await registries.npm();
  const { asksRegistry } = installer;
  if (asksRegistry === undefined) return npm;
  const own = await registries.remembered(installer.name, () => askInstaller(request, asksRegistry, npm));
  return [...npm, ...own];
}

/** A package manager that npm downloads prints its own registry, in a folder without files of the bundle. */
async function askInstaller(
  { sandbox, installer, dir, log }: InstallNetworkRequest,
  argv: readonly string[],
  rules: readonly EgressRule[],
): Promise<EgressRule[]> {
  const slotDir = await mkdtemp(join(dir, "registry-"));
  for (const name of ["workspace", "state"]) await mkdir(join(slotDir, name));
  const { network } = limited({ mode: "allow", rules }, log);
  const quiet = { ...sandbox, slotDir, onLine: () => {} };
  const env = installEnvironment(installer, network);
  const ending = await runInSandbox(quiet, { ...installer, argv, env, network });
  return succeeded(ending) ? toEgressRules(ending.stdout.split("\n").slice(-3)) : [];
}
