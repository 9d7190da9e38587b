// Finds the hosts of this machine's package registries. None is hard-coded: npm, Yarn and pip are asked, in the
// environment of builds.

import { isIP } from "node:net";
import type { EgressRule } from "@dari/network";
import { runHostCommand } from "../runtimes/run-host-command.ts";
import type { Npm } from "../runtimes/find-npm.ts";
import { findFileHosts } from "./file-hosts.ts";

export interface Registries {
  /** npm's registry. Empty if unknown, for example without npm. */
  npm(): Promise<readonly EgressRule[]>;
  /** pip's indexes, and the hosts of their files. `command`: an interpreter with pip. */
  python(command: string): Promise<readonly EgressRule[]>;
  /** Caches another result by name. `find` is called until it has found something. */
  remembered(name: string, find: () => Promise<readonly EgressRule[]>): Promise<readonly EgressRule[]>;
}

/** pip's default index and its file host, read from pip itself. */
const pipDefaults =
  "from pip._internal.models.index import PyPI; " +
  "print(PyPI.simple_url); print('https://' + PyPI.file_storage_domain)";
const askWithinMs = 20_000;

/** `env`: the environment of installers. Each registry is looked up once, on first use. */
export function createRegistries(o: {
  env: Readonly<Record<string, string>>;
  getNpm(): Promise<Npm | undefined>;
}): Registries {
  const known = new Map<string, Promise<readonly EgressRule[]>>();
  const remembered: Registries["remembered"] = (name, find) => {
    const found = known.get(name) ?? find().catch(() => []);
    known.set(name, found);
    // A lookup that failed is repeated for the next build.
    void found.then((rules) => rules.length === 0 && known.delete(name));
    return found;
  };
  return {
    npm: () => remembered("npm", async () => toEgressRules([await npmRegistry(o.env, await o.getNpm())])),
    python: (command) => remembered(`python ${command}`, () => pythonRules(o.env, command)),
    remembered,
  };
}

async function npmRegistry(env: Readonly<Record<string, string>>, npm: Npm | undefined): Promise<string> {
  const configured = variable(env, "npm_config_registry");
  if (configured !== undefined || npm === undefined) return configured ?? "";
  // A build sees neither the worker's own .npmrc nor the machine's.
  const nothing = { HOME: "/dev/null", npm_config_globalconfig: "/dev/null" };
  const asked = { env: { ...env, ...nothing }, timeoutMs: askWithinMs, cwd: "/" };
  return runHostCommand(process.execPath, [npm.cli, "config", "get", "registry"], asked);
}

async function pythonRules(env: Readonly<Record<string, string>>, command: string): Promise<EgressRule[]> {
  const index = variable(env, "pip_index_url");
  const extra = words(variable(env, "pip_extra_index_url"));
  const local = words(variable(env, "pip_find_links"));
  const configured = [...(index === undefined ? [] : [index]), ...extra];
  const files = await Promise.all(configured.map(findFileHosts));
  const asked = { env: { ...env }, timeoutMs: askWithinMs, cwd: "/" };
  const own = index === undefined ? words(await runHostCommand(command, ["-I", "-c", pipDefaults], asked)) : [];
  const learned = files.flat().map((name) => ({ kind: "name", name, subdomains: false, port: 443 }) as const);
  return [...toEgressRules([...configured, ...local, ...own]), ...learned];
}

/** Returns rules for exactly the hosts and ports of these URLs. Ignores other text. */
export function toEgressRules(addresses: readonly string[]): EgressRule[] {
  const urls = addresses.map((address) => URL.parse(address.trim()));
  return urls.filter((url) => url !== null && /^https?:$/.test(url.protocol)).map((url) => ruleOf(url!));
}

function ruleOf(url: URL): EgressRule {
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const name = url.hostname.replace(/^\[|\]$/g, "");
  // Requests to localhost do not use the proxy. The sandbox forwards the port instead.
  if (name === "localhost") return { kind: "endpoint", address: "127.0.0.1", port };
  return isIP(name) === 0 ? { kind: "service", name, port } : { kind: "endpoint", address: name, port };
}

function variable(env: Readonly<Record<string, string>>, name: string): string | undefined {
  const [, value] = Object.entries(env).find(([each]) => each.toLowerCase() === name) ?? [];
  return value === "" ? undefined : value;
}

function words(text = ""): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
