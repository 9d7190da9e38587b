// The interpreters for agents on this worker, by language and version.

import { homedir } from "node:os";
import type { Language } from "@dari/contract";
import type { InstallTools } from "../build/installer.ts";
import { createRegistries } from "../registries/registry-rules.ts";
import { createNodeRuntimes } from "./node-runtimes.ts";
import { findNpm, type Npm } from "./find-npm.ts";
import { createPythonRuntimes } from "./python-runtimes.ts";
import type { Runtime, RuntimeOffer } from "./runtime.ts";

export interface Runtimes {
  /**
   * Returns the interpreter for a manifest's `runtime`; without a version, the newest that this worker has without a
   * download. Node may be downloaded on first use, which takes seconds and is reported to `say`. Concurrent callers
   * share one download.
   * @throws RuntimeUnavailableError with the available versions.
   */
  resolve(
    language: Language,
    version: string | undefined,
    signal?: AbortSignal,
    say?: (text: string) => void,
  ): Promise<Runtime>;
  /** Lists the available runtimes, ascending by version, Node first. */
  list(): Promise<RuntimeOffer[]>;
  /** Returns what builds need besides an interpreter to install dependencies. */
  installTools(): Promise<InstallTools>;
}

export interface RuntimesOptions {
  /** Where downloaded runtimes are stored. Several processes can share it. */
  readonly cacheDir: string;
  /** Registry for npm's platform packages (default: from npm's own configuration). */
  readonly npmRegistry?: string;
  /** A slower download of Node is started again once, in milliseconds (default: 30,000). */
  readonly firstTryMs?: number;
  /**
   * The worker's environment. PATH and HOME are used to find interpreters and npm. Build sandboxes get only what
   * registries need (proxies, certificates, index addresses), which must not be secret.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Directories that variables of `env` refer to (certificates, local wheels). Build sandboxes see them read-only. */
  readonly installPaths?: readonly string[];
  /** Whether a missing Python minor version runs on the nearest newer one, with a warning (default: false). */
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

/** What installers need to reach registries. Paths of this machine's npm and everything else are left out. */
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
