// Uploads a file of several gigabytes through the API, to a folder and to a real S3 server, and downloads it. Measures
// the API's memory, and what an aborted upload leaves in the store. The memory's figures need Linux. Expected: memory
// does not depend on the file's size; a few parts of 8 MiB at a time for S3, a few pieces for a folder.
//
//   npm run lab -- bench/large-upload [--smoke] [--gigabytes 3]

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { createClient, type Client } from "@dari/client";
import { freePort } from "@dari/embedded";
import { createTestOrganization, findS3Server, installAdvice, startS3Server, waitUntil } from "@dari/testkit";
import { machineEnvironment } from "../config.ts";
import type { Program } from "../program.ts";
import { openContestant, startProgramOnStack } from "./contestant.ts";
import { startServers, type Servers } from "./servers.ts";
import { gate, report } from "./verdict.ts";
import { readFlags } from "../flags.ts";

const flags = readFlags({ smoke: { type: "boolean", default: false }, gigabytes: { type: "string", default: "3" } });
const { values } = flags;
const MiB = 1024 ** 2;
const totalBytes = values.smoke ? 256 * MiB : flags.whole("gigabytes") * 1024 ** 3;
const abandonedBytes = 100 * MiB;
/** The API's limit above its idle memory, for any size. */
const memoryAtMost = 256 * MiB;

type StoreName = "filesystem" | "s3";

interface Subject {
  readonly client: Client;
  readonly api: Program;
  /** Where the store keeps its data. */
  readonly storeDir: string;
}

/** Repeats the same bytes with a different number in front, so that no two megabytes are equal. */
async function* content(sizeBytes: number, seen: (piece: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  const noise = randomBytes(MiB);
  for (let sent = 0; sent < sizeBytes; sent += noise.length) {
    const piece = Buffer.from(noise.subarray(0, Math.min(noise.length, sizeBytes - sent)));
    piece.writeUInt32LE(sent / MiB);
    seen(piece);
    yield piece;
  }
}

async function upload({ client }: Subject): Promise<{ fileId: string; sha256: string; seconds: number }> {
  const hash = createHash("sha256");
  const startedAt = performance.now();
  const body = ReadableStream.from(content(totalBytes, (piece) => void hash.update(piece)));
  const file = await client.uploadFile({ filename: "large.bin", content: body });
  const seconds = (performance.now() - startedAt) / 1_000;
  const sha256 = hash.digest("hex");
  if (file.sha256 !== sha256 || file.size_bytes !== totalBytes) throw new Error("the file is not what was sent");
  return { fileId: file.id, sha256, seconds };
}

async function download({ client }: Subject, fileId: string, sha256: string): Promise<number> {
  const hash = createHash("sha256");
  const startedAt = performance.now();
  for await (const piece of await client.getFileContent(fileId)) hash.update(piece);
  if (hash.digest("hex") !== sha256) throw new Error("what came back is not what was sent");
  return (performance.now() - startedAt) / 1_000;
}

/** Returns how many bytes an aborted upload leaves in the store, after time for cleaning up. */
async function abandon({ client, storeDir }: Subject): Promise<number> {
  const before = bytesBelow(storeDir);
  const gone = new AbortController();
  const body = ReadableStream.from(
    (async function* () {
      yield* content(abandonedBytes, () => undefined);
      gone.abort();
      // Nothing more is sent, not even the end: the connection is closed here.
      await Promise.withResolvers<never>().promise;
    })(),
  );
  const outcome = await client.uploadFile({ filename: "half.bin", content: body }, { signal: gone.signal }).then(
    () => "answered",
    () => "cut",
  );
  if (outcome !== "cut") throw new Error("the upload was not cut off");
  const left = (): number => bytesBelow(storeDir) - before;
  const what = "what was abandoned to be removed";
  await waitUntil(() => left() === 0, { what, timeoutMs: 30_000 }).catch(() => undefined);
  return left();
}

function bytesBelow(dir: string): number {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, entry) => {
    // Parts can disappear while they are counted.
    return sum + (statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

/** `VmRSS` is the current value, `VmHWM` the maximum so far. */
function memoryOf({ pid }: Program, name: "VmRSS" | "VmHWM"): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1]) * 1024;
}

async function openStore(
  name: StoreName,
  dir: string,
  stack: AsyncDisposableStack,
): Promise<{ storeDir: string; env: Record<string, string> }> {
  const storeDir = path.join(dir, name);
  mkdirSync(storeDir, { recursive: true });
  if (name === "filesystem") return { storeDir, env: { DARI_BLOBS_DIR: storeDir } };
  const command = findS3Server();
  if (command === undefined) throw new Error(`there is no S3 server: ${installAdvice.s3}`);
  const { connection } = stack.use(await startS3Server(command, storeDir));
  return {
    storeDir: path.join(storeDir, "data"),
    env: {
      S3_ENDPOINT: connection.endpoint,
      S3_BUCKET: "large-upload",
      S3_ACCESS_KEY_ID: connection.accessKeyId,
      S3_SECRET_ACCESS_KEY: connection.secretAccessKey,
    },
  };
}

async function measure(name: StoreName, dir: string, servers: Servers): Promise<Record<string, number>> {
  await using stack = new AsyncDisposableStack();
  const { storeDir, env } = await openStore(name, dir, stack);
  const port = await freePort();
  const api = await startProgramOnStack(stack, {
    name: `api-${name}`,
    entry: "apps/api/src/main.ts",
    dir,
    readyWhen: /api\.started/,
    env: {
      ...machineEnvironment(),
      ...env,
      NODE_ENV: "production",
      DATABASE_URL: servers.databaseUrl,
      DARI_MASTER_KEY: randomBytes(32).toString("base64"),
      DARI_PORT: String(port),
    },
  });
  const { apiKey } = await createTestOrganization(servers.db);
  const subject = { client: createClient({ apiUrl: `http://127.0.0.1:${port}`, apiKey }), api, storeDir };
  const idle = memoryOf(api, "VmRSS");
  const { fileId, sha256, seconds } = await upload(subject);
  const afterUpload = memoryOf(api, "VmHWM");
  const downloadSeconds = await download(subject, fileId, sha256);
  const inMb = (bytes: number): number => Math.round(bytes / MiB);
  return {
    upload_mb_per_s: Math.round(totalBytes / MiB / seconds),
    download_mb_per_s: Math.round(totalBytes / MiB / downloadSeconds),
    rss_idle_mb: inMb(idle),
    rss_peak_upload_mb: inMb(afterUpload),
    rss_peak_mb: inMb(memoryOf(api, "VmHWM")),
    abandoned_bytes_left: await abandon(subject),
  };
}

await using bench = await openContestant("large-upload", async (dir, stack) => {
  const servers = await startServers(dir, stack, { redis: false });
  return { filesystem: await measure("filesystem", dir, servers), s3: await measure("s3", dir, servers) };
});
const { filesystem, s3 } = bench;
report({
  name: "large-upload",
  parameters: { file_mb: totalBytes / MiB, abandoned_after_mb: abandonedBytes / MiB },
  result: { filesystem, s3 },
  gates: Object.entries({ filesystem, s3 }).flatMap(([name, found]) => [
    gate(
      `${name}: memory of the API over idle, MB`,
      (found["rss_peak_mb"] ?? NaN) - (found["rss_idle_mb"] ?? NaN),
      memoryAtMost / MiB,
    ),
    gate(`${name}: bytes that an abandoned upload leaves`, found["abandoned_bytes_left"] ?? NaN, 0),
  ]),
  smoke: values.smoke,
});
