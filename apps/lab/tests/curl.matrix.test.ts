// The quickstart as a user follows it: `npm start`, the `dari` command and real curl; then kill -9, a second start,
// Ctrl-C, and the same without a queue.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@dari/client";
import type { DirectoryListing, FileRecord, MessageFiles, MessageRecord, SessionRecord } from "@dari/contract";
import { findRedisServer, freePort } from "@dari/embedded";
import { waitUntil } from "@dari/testkit";
import { machineEnvironment } from "../src/config.ts";
import { deploy, ended, textOf, type Platform } from "../src/conversation.ts";
import { curl, dari, replyOf } from "../src/curl.ts";
import { processesMarked } from "../src/processes.ts";
import { checkout, startProgram, type Program } from "../src/program.ts";
import { openRendezvous, rendezvousEndpoint } from "../src/rendezvous.ts";
import { playScript, resultsOf, scriptAgent, start } from "../src/script.ts";

interface Connection {
  readonly api_url: string;
  readonly api_key: string;
  readonly console_url: string;
}

const dir = mkdtempSync(join(tmpdir(), "dari-curl-"));
const dataDir = join(dir, "data");
let port: number;
let program: Program;
let connection: Connection;
let starts = 0;

async function startPlatform(env: Record<string, string> = {}): Promise<void> {
  starts += 1;
  program = await startProgram({
    name: `standalone-${starts}`,
    entry: "apps/standalone/src/main.ts",
    dir,
    env: {
      ...machineEnvironment(),
      DARI_PORT: String(port),
      DARI_DATA_DIR: dataDir,
      DARI_LEASE_MS: "3000",
      DARI_EGRESS_ALLOW: rendezvousEndpoint,
      ...env,
    },
    readyWhen: /Press Ctrl-C to stop/,
  });
  connection = JSON.parse(readFileSync(join(dataDir, "connection.json"), "utf8")) as Connection;
}

function platform(): Platform {
  const { api_url: apiUrl, api_key: apiKey } = connection;
  return { apiUrl, apiKey, client: createClient({ apiUrl, apiKey }) };
}

const json = ["-H", "Content-Type: application/json"] as const;
const authorized = (path: string): string[] => [
  "-H",
  `Authorization: Bearer ${connection.api_key}`,
  `${connection.api_url}${path}`,
];
const cli = (args: readonly string[], input?: string): Promise<string> =>
  dari(args, { apiUrl: connection.api_url, apiKey: connection.api_key, cwd: dir, ...(input && { input }) });

beforeAll(async () => {
  port = await freePort();
  await startPlatform();
}, 120_000);

afterAll(async () => {
  if (program?.isRunning) await program.stop("SIGINT");
  const left = processesMarked(dir);
  rmSync(dir, { recursive: true, force: true });
  expect(left).toEqual([]);
}, 120_000);

test("connection.json is for its owner only and says where the platform is", () => {
  expect(statSync(join(dataDir, "connection.json")).mode & 0o777).toBe(0o600);
  expect(connection).toEqual({
    api_url: `http://127.0.0.1:${port}`,
    api_key: expect.stringMatching(/^dari_.{20,}$/),
    console_url: `http://127.0.0.1:${port}/console`,
  });
});

describe.each(["support-agent-ts", "support-agent-python"])("the quickstart with %s", (example) => {
  let deploymentId: string;
  let sessionId: string;
  let message: MessageRecord;

  test("dari credentials add, then dari deploy", async () => {
    for (const name of ["QUICKSTART_MODEL_KEY", "QUICKSTART_API_TOKEN"]) {
      await cli(["credentials", "add", name, "--value-stdin"], `value of ${name}`);
    }
    expect(await cli(["credentials", "list"])).toMatch(/QUICKSTART_API_TOKEN[\s\S]*QUICKSTART_MODEL_KEY/);
    cpSync(join(checkout, "examples", example), join(dir, example), {
      recursive: true,
      filter: (path) => !path.endsWith(".dari"),
    });
    const deployed = JSON.parse(await cli(["deploy", example, "--json"])) as Record<string, string>;
    expect(deployed).toMatchObject({ version_status: "ready", agent_id: expect.stringMatching(/^agt_/) });
    deploymentId = deployed["deployment_id"] ?? "";
    expect(deploymentId).toMatch(/^dep_/);
    // The first deploy downloads the Node that the manifest asks for.
  }, 300_000);

  test("create a session, with a JSON content type and no body", async () => {
    const answer = await curl("-X", "POST", ...json, ...authorized(`/v1/deployments/${deploymentId}/sessions`));
    const session = replyOf<SessionRecord>("createSession", answer);
    expect(session).toMatchObject({ status: "idle", deployment_id: deploymentId, last_message_id: null });
    sessionId = session.id;
  });

  test("upload files, and send text, a file and an image with metadata", async () => {
    const ticket = "Subject: Charged twice\n\nPlease refund order 4711.\n";
    writeFileSync(join(dir, "ticket.txt"), ticket);
    writeFileSync(join(dir, "pixel.png"), Buffer.from("89504e470d0a1a0a", "hex"));
    const upload = async (name: string): Promise<FileRecord> =>
      replyOf("uploadFile", await curl("-F", `file=@${join(dir, name)}`, ...authorized("/v1/files")));
    const [file, image] = [await upload("ticket.txt"), await upload("pixel.png")];
    expect(file).toMatchObject({ filename: "ticket.txt", size_bytes: ticket.length, content_type: "text/plain" });
    expect(image).toMatchObject({ filename: "pixel.png", size_bytes: 8, content_type: "image/png" });

    const body = {
      parts: [
        { type: "text", text: "Read the ticket and draft a reply." },
        { type: "file", file_id: file.id },
        { type: "image", file_id: image.id },
      ],
      metadata: { source: "quickstart" },
    };
    const path = `/v1/sessions/${sessionId}/messages`;
    message = replyOf(
      "sendMessage",
      await curl("-X", "POST", ...json, "-d", JSON.stringify(body), ...authorized(path)),
    );
    expect(message).toMatchObject({
      session_id: sessionId,
      sequence_number: 1,
      status: "completed",
      attempt: 1,
      max_attempts: 3,
      metadata: { source: "quickstart" },
      files_changed: [{ path: "/output/reply.md", change: "created", size_bytes: expect.any(Number) }],
    });
    expect(message.parts.map((part) => ("path" in part ? part.path : part.type))).toEqual([
      "text",
      "/input/ticket.txt",
      "/input/pixel.png",
    ]);
    expect(textOf(message)).toMatch(/billing/);
  });

  test("list what the agent wrote, read it, and see what the message changed", async () => {
    const listing = await curl(...authorized(`/v1/sessions/${sessionId}/files?path=/output`));
    const size_bytes = message.files_changed[0]?.size_bytes;
    expect(replyOf<DirectoryListing>("listSessionFiles", listing)).toEqual({
      path: "/output",
      entries: [{ path: "/output/reply.md", type: "file", size_bytes }],
    });
    const read = await curl(...authorized(`/v1/sessions/${sessionId}/files/content?path=/output/reply.md`));
    expect(read).toMatchObject({ status: 200, body: expect.stringMatching(/Charged twice/) });
    const files = await curl(...authorized(`/v1/messages/${message.id}/files`));
    expect(replyOf<MessageFiles>("getMessageFiles", files)).toEqual({
      message_id: message.id,
      session_id: sessionId,
      files_changed: message.files_changed,
    });
    const session = replyOf<SessionRecord>("getSession", await curl(...authorized(`/v1/sessions/${sessionId}`)));
    expect(session).toMatchObject({ status: "idle", last_message_id: message.id, last_message_status: "completed" });
  });
});

test("calls without a key, with unknown ids and with an invalid body have the contract's errors", async () => {
  const unknown = "/v1/sessions/sess_01jx5m0k8c3f7q2v9t4w6y8z1a";
  const answers = [
    await curl(`${connection.api_url}/v1/sessions`),
    await curl(...authorized(unknown)),
    await curl("-X", "POST", ...json, "-d", "{", ...authorized(`${unknown}/messages`)),
  ];
  expect(answers.map((answer) => answer.status)).toEqual([401, 404, 422]);
  for (const { body } of answers) {
    expect(JSON.parse(body)).toMatchObject({
      detail: expect.any(String),
      code: expect.any(String),
      request_id: expect.any(String),
    });
  }
});

test("after kill -9 a second start has the same key and data, and ends what was running and queued", async () => {
  await using meeting = await openRendezvous();
  const before = connection;
  const { agentId } = await deploy(platform(), scriptAgent({ max_attempts: 3 }));
  const session = await platform().client.createSession(agentId);
  await playScript(platform(), session.id, [["write", "kept.txt", "kept"]]);
  const running = await start(platform(), session.id, [["meet", meeting.urlOf("running")], ["attempt"]]);
  const queued = await start(platform(), session.id, [["attempt"], ["read", "kept.txt"]]);
  await meeting.arrived("running");

  await program.kill();
  await startPlatform();
  expect(connection).toEqual(before);
  await meeting.arrived("running", 2);
  meeting.open("running");
  expect(resultsOf(await ended(platform(), running.id))).toEqual(["go", 2]);
  expect(resultsOf(await ended(platform(), queued.id))).toEqual([1, "kept"]);
});

test("after its servers were killed with it, everything that was answered is still there", async () => {
  const { agentId } = await deploy(platform(), scriptAgent());
  const session = await platform().client.createSession(agentId);
  const sent = await playScript(platform(), session.id, [["write", "answered.txt", "yes"]]);
  await program.kill();
  for (const line of processesMarked(dataDir)) kill9(Number(line.split(" ")[0]));
  await waitUntil(() => processesMarked(dataDir).length === 0, { what: "the servers to be gone" });

  await startPlatform();
  expect(await platform().client.getMessage(sent.id)).toMatchObject({ status: "completed" });
  expect(resultsOf(await playScript(platform(), session.id, [["read", "answered.txt"]]))).toEqual(["yes"]);
});

/** The process may have ended together with its parent. */
function kill9(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

test("Ctrl-C ends it with everything it started", async () => {
  const servers = processesMarked(dataDir).join("\n");
  expect(servers).toMatch(/postgres/);
  if (findRedisServer() !== undefined) expect(servers).toMatch(/(redis|valkey)-server/);
  expect(await program.stop("SIGINT")).toEqual({ code: 0, signal: null });
  expect(processesMarked(dir)).toEqual([]);
  await expect(curl(connection.api_url)).rejects.toThrow();
});

test("without a queue the same data is there, and turns are pulled from the database", async () => {
  await startPlatform({ DARI_QUEUE: "none" });
  expect(program.readLog()).toMatch(/direct pull/);
  expect(processesMarked(dataDir).join("\n")).not.toMatch(/(redis|valkey)-server/);
  const { data } = await platform().client.listAgents();
  const names = data.map((agent) => agent.name.replace(/^lab-.*/, "lab")).sort();
  expect(names).toEqual(["lab", "lab", "support-agent-python", "support-agent-ts"]);
  const agent = data.find((one) => one.name.startsWith("lab-"))!;
  const session = await platform().client.createSession(agent.id);
  expect(resultsOf(await playScript(platform(), session.id, [["attempt"]]))).toEqual([1]);
  expect(await program.stop("SIGINT")).toEqual({ code: 0, signal: null });
});
