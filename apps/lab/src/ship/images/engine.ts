// podman with its own storage, networks and settings, and docker-compose over its socket.

import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { machineEnvironment } from "../../config.ts";
import { checkout } from "../../program.ts";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Engine extends AsyncDisposable {
  readonly dir: string;
  /** Contains the output of all commands. */
  readonly logFile: string;
  /** Resolves with its output. @throws with the last of it if it fails */
  run(command: string, args: readonly string[], options?: CommandOptions): Promise<string>;
  /** Runs docker-compose in its own project; `env` names the files: COMPOSE_FILE. */
  compose(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string>;
}

/** Each command, and its Debian package. */
const tools = {
  podman: "podman",
  runc: "runc",
  iptables: "iptables",
  debootstrap: "debootstrap",
  "docker-compose": "docker-compose",
} as const;
/** Not on the PATH: give containers addresses and names. */
const helpers = { "/usr/lib/podman/netavark": "netavark", "/usr/lib/podman/aardvark-dns": "aardvark-dns" };

/** Returns Debian packages to install first; none if all are installed. */
export function missingPackages(): string[] {
  const places = (machineEnvironment()["PATH"] ?? "").split(":");
  const isThere = (command: string): boolean => places.some((place) => existsSync(path.join(place, command)));
  return [
    ...Object.entries(tools).flatMap(([command, name]) => (isThere(command) ? [] : [name])),
    ...Object.entries(helpers).flatMap(([file, name]) => (existsSync(file) ? [] : [name])),
  ];
}

const project = "dari-images";
const socketWithinMs = 20_000;
const healthEveryMs = 1_500;
const shownChars = 3_000;

/**
 * `dir`: on a file system that supports overlays; images that an earlier engine kept there still exist. `keepsImages`:
 * they stay when this engine ends.
 */
export async function startEngine(dir: string, { keepsImages }: { keepsImages: boolean }): Promise<Engine> {
  await using starting = new AsyncDisposableStack();
  const logFile = path.join(dir, "images.log");
  writeFileSync(logFile, "");
  const env = { ...machineEnvironment(), ...writeSettings(dir), COMPOSE_PROJECT_NAME: project };
  const run: Engine["run"] = (command, args, options = {}) =>
    runLogged(logFile, command, args, { ...options, env: { ...env, ...options.env } });
  const socket = path.join(dir, "podman.sock");
  const service = spawn("podman", ["system", "service", "--time=0", `unix://${socket}`], { env, stdio: "ignore" });
  const ended = new Promise<void>((resolve) => service.once("close", () => resolve()));
  starting.defer(async () => {
    await run("podman", keepsImages ? ["rm", "--all", "--force", "--volumes"] : ["system", "reset", "--force"]).catch(
      () => "",
    );
    service.kill("SIGTERM");
    await ended;
  });
  for (const deadline = Date.now() + socketWithinMs; !existsSync(socket); await sleep(100)) {
    if (Date.now() > deadline) throw new Error("podman's service did not make its socket");
  }
  starting.use(driveHealthChecks(run));
  const stack = starting.move();
  return {
    dir,
    logFile,
    run,
    compose: (args, own) =>
      run("docker-compose", args, { cwd: checkout, env: { ...own, DOCKER_HOST: `unix://${socket}` } }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Uses and changes nothing of the machine's configuration. Returns the variables that locate the settings. */
function writeSettings(dir: string): Record<string, string> {
  const folder = (name: string): string => {
    const made = path.join(dir, name);
    mkdirSync(made, { recursive: true });
    return made;
  };
  const file = (name: string, lines: readonly string[]): string => {
    writeFileSync(path.join(dir, name), `${lines.join("\n")}\n`);
    return path.join(dir, name);
  };
  const storage = file("storage.conf", [
    "[storage]",
    'driver = "overlay"',
    `graphroot = "${folder("storage")}"`,
    `runroot = "${folder("run")}"`,
  ]);
  const containers = file("containers.conf", [
    "[containers]",
    "pids_limit = 0",
    'log_driver = "k8s-file"',
    "[engine]",
    'cgroup_manager = "cgroupfs"',
    'events_logger = "file"',
    // crun refuses machines with control groups of both versions.
    'runtime = "runc"',
    `tmp_dir = "${folder("engine")}"`,
    "[network]",
    'network_backend = "netavark"',
    `network_config_dir = "${folder("networks")}"`,
  ]);
  // Images of Docker's registry have no host in their names. Those of this machine have the same names.
  const registries = file("registries.conf", ['unqualified-search-registries = ["docker.io"]']);
  return {
    CONTAINERS_STORAGE_CONF: storage,
    CONTAINERS_CONF: containers,
    CONTAINERS_REGISTRIES_CONF: registries,
    // Build steps run in a changed root of this machine, and images keep their health checks.
    BUILDAH_ISOLATION: "chroot",
    BUILDAH_FORMAT: "docker",
    TMPDIR: folder("tmp"),
  };
}

/** If systemd is not the first process, podman does not run health checks, so do it here. */
function driveHealthChecks(run: Engine["run"]): AsyncDisposable {
  const done = new AbortController();
  const loop = (async (): Promise<void> => {
    while (!done.signal.aborted) {
      const ids = await run("podman", ["ps", "--quiet"]).catch(() => "");
      for (const id of ids.split("\n").filter((line) => line !== "")) {
        // Fails for a container that is not healthy yet. compose reads its state.
        await run("podman", ["healthcheck", "run", id]).catch(() => "");
      }
      await sleep(healthEveryMs, undefined, { signal: done.signal }).catch(() => undefined);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      done.abort();
      await loop;
    },
  };
}

function runLogged(
  logFile: string,
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  const commandLine = `${command} ${args.join(" ")}`;
  const isQuiet = args[0] === "ps" || args[0] === "healthcheck";
  if (!isQuiet) appendFileSync(logFile, `\n$ ${commandLine}\n`);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let [out, all] = ["", ""];
    const take = (text: string): void => {
      all += text;
      if (!isQuiet) appendFileSync(logFile, text);
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      take(text);
    });
    child.stderr.setEncoding("utf8").on("data", take);
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(out.trim());
      else reject(new Error(`${commandLine} ended with ${code}:\n${all.slice(-shownChars)}`));
    });
  });
}
