// A real S3 server for tests: versitygw over a directory. Knows its command line; speaks no S3.

import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { endProcess, freePort, identifyProcess, type ProcessIdentity } from "@dari/embedded";
import type { Services } from "./services.ts";
import { waitUntil } from "./wait-until.ts";

const cached = fileURLToPath(new URL("../../../.cache/bin/versitygw", import.meta.url));

/** Returns the server's command: the one in .cache/bin, or the one on the PATH. */
export function findS3Server(): string | undefined {
  const candidates = existsSync(cached) ? [cached, "versitygw"] : ["versitygw"];
  return candidates.find((command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0);
}

export interface TestS3Server extends AsyncDisposable {
  readonly connection: Services["s3"];
  readonly identity: ProcessIdentity;
}

/** Starts a server on a loopback port, by default a free one, with its objects and log under `dir`. */
export async function startS3Server(command: string, dir: string, fixedPort?: number): Promise<TestS3Server> {
  const port = fixedPort ?? (await freePort());
  const accessKeyId = "dari-test";
  const secretAccessKey = "dari-test-secret";
  const [data, logFile] = [path.join(dir, "data"), path.join(dir, "s3.log")];
  mkdirSync(data, { recursive: true });
  const log = openSync(logFile, "a");
  const child = spawn(command, ["--quiet", "--port", `127.0.0.1:${port}`, "posix", data], {
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  child.unref();
  const identity = await waitUntil(
    async () => {
      if (child.exitCode !== null) throw new Error(readFileSync(logFile, "utf8").slice(-2_000));
      return (await accepts(port)) && child.pid !== undefined && identifyProcess(child.pid);
    },
    { what: `${command} to listen on port ${port}` },
  );
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    connection: {
      endpoint,
      region: "us-east-1",
      bucket: "dari-test",
      accessKeyId,
      secretAccessKey,
      forcePathStyle: true,
    },
    identity,
    async [Symbol.asyncDispose]() {
      await endProcess(identity, [
        { signal: "SIGTERM", waitMs: 5_000 },
        { signal: "SIGKILL", waitMs: 5_000 },
      ]);
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  const answer = Promise.withResolvers<boolean>();
  const socket = connect({ port, host: "127.0.0.1" });
  socket.once("connect", () => answer.resolve(true)).once("error", () => answer.resolve(false));
  const accepted = await answer.promise;
  socket.destroy();
  return accepted;
}
