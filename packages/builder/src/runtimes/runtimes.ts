// The interpreters that agents can have on this worker, by language and version.

import { homedir } from "node:os";
import type { Language } from "@dari/contract";
import type { InstallTools } from "../build/installer.ts";
import { createRegistries } from "../registries/registry-rules.ts";
import { createNodeRuntimes } from "./node-runtimes.ts";
import { findNpm, type Npm } from "./npm.ts";
import { createPythonRuntimes } from "./python-runtimes.ts";
import type { Runtime, RuntimeOffer } from "./runtime.ts";

export interface Runtimes {
  /**
   * The interpreter for a manifest's `runtime`; without a version the newest that this worker has without fetching.
   * Node may be downloaded on first use, which takes seconds and is reported to `say`. Simultaneous callers share one
   * download.
   * @throws RuntimeUnavailableError with the available versions.
   */
  resolve(
    language: Language,
    version: string | undefined,
    signal?: AbortSignal,
    say?: (text: string) => void,
  ): Promise<Runtime>;
  /** What can be had, ascending by version, Node first. */
  list(): Promise<RuntimeOffer[]>;
  /** What builds need beside an interpreter to install dependencies. */
  installTools(): Promise<InstallTools>;
}

export interface RuntimesOptions {
  /** Fetched runtimes live here; several processes may share it. */
  readonly cacheDir: string;
  /** Registry for npm's platform packages; absent: the one of npm's own configuration. */
  readonly npmRegistry?: string;
  /** Milliseconds after which a download of Node is started again, once. Default 30,000. */
  readonly firstTryMs?: number;
  /**
   * The worker's environment. PATH and HOME lead to interpreters and npm; of the rest, build sandboxes see only what
   * registries need (proxies, certificates, index addresses), which must hold no secret.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Directories that variables of `env` speak of (certificates, local wheels): build sandboxes see them read-only. */
  readonly installPaths?: readonly string[];
  /** Run a missing Python minor on the nearest newer one, with a warning. Default false. */
  readonly allowNearest?: boolean;
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/bin";

export function createRuntimes(options: RuntimesOptions): Runtimes {
  const env = { PATH: defaultPath, HOME: homedir(), ...options.env };
  let npm: Promise<Npm | undefined> | undefined;
  const getNpm = (): Promise<Npm | undefined> => (npm ??= findNpm(env));
  const node = createNodeRuntimes({ ...options, env, getNpm });
  const python = createPythonRuntimes({ env, allowNearest: options.allowNearest ?? false });
  const installEnv = installEnvironment(env, options.npmRegistry);
  const registries = createRegistries({ env: { PATH: env.PATH, ...installEnv }, getNpm });
  return {
    resolve: (language, version, signal, say) =>
      language === "python" ? python.resolve(version) : node.resolve(version, signal, say),
    list: async () => [...(await node.list()), ...(await python.list())],
    installTools: async () => ({
      npm: await getNpm(),
      env: installEnv,
      readOnlyPaths: options.installPaths ?? [],
      registries,
    }),
  };
}

/** What installers need to reach registries. Paths of this machine's npm and anything else stay outside. */
const installVariable = new RegExp(
  "^((https?|all|no)_proxy|node_extra_ca_certs|ssl_cert_(file|dir)|requests_ca_bundle" +
    "|npm_config_(registry|proxy|https_proxy|noproxy|cafile|strict_ssl|maxsockets|fetch_[a-z_]+)" +
    "|pip_(index_url|extra_index_url|find_links|no_index|cert|trusted_host|proxy|retries|default_timeout))$",
  "i",
);

function installEnvironment(env: Readonly<Record<string, string>>, registry?: string): Record<string, string> {
  const chosen = Object.fromEntries(Object.entries(env).filter(([name]) => installVariable.test(name)));
  return registry === undefined ? chosen : { ...chosen, npm_config_registry: registry };
}
