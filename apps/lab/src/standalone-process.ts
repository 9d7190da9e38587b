// `npm start` as a child process on a directory of its own, as a user runs it. Everything it started ends with it.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

export interface StandaloneProcess extends AsyncDisposable {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly dataDir: string;
  readonly child: ChildProcess;
}

const main = path.resolve(import.meta.dirname, "../../standalone/src/main.ts");
const readyLine = "Press Ctrl-C to stop.";
const readyWithinMs = 120_000;

/** Starts on a free port and a fresh directory; `environment` is added to this process's own. */
export async function startStandalone(environment: Record<string, string> = {}): Promise<StandaloneProcess> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "dari-lab-"));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
    env: { ...process.env, DARI_PORT: "0", DARI_DATA_DIR: dataDir, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  await untilReady(child);
  const connection = JSON.parse(await readFile(path.join(dataDir, "connection.json"), "utf8")) as Record<
    string,
    string
  >;
  return {
    apiUrl: connection["api_url"] ?? "",
    apiKey: connection["api_key"] ?? "",
    dataDir,
    child,
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once("close", resolve));
      if (child.exitCode === null) {
        child.kill("SIGINT");
        await ended;
      }
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(() => reject(new Error(`not ready: ${output}`)), readyWithinMs);
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (!output.includes(readyLine)) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("close", (code) => reject(new Error(`ended with ${code} before it was ready: ${output}`)));
  });
}
