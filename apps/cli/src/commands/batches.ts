// `dari batches …`: many sessions with a first message each, created by one call.

import type { BatchSessionRecord, CreateSessionBatchRequest, SessionBatchRecord } from "@dari/contract";
import { messageMachine, type Lane } from "@dari/domain";
import { type Command, Option } from "commander";
import { readFile } from "node:fs/promises";
import { text as readText } from "node:stream/consumers";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { invalid } from "../exit.ts";
import { agentOption, collectOption, given, laneOption, limitOption, parseCount, parsePairs } from "../options.ts";
import { systemErrorCode } from "../system-error.ts";

interface CreateOptions {
  readonly agentId: string;
  readonly versionId?: string;
  readonly name?: string;
  readonly lane?: Lane;
  readonly maxConcurrency?: number;
  readonly metadata: readonly string[];
}

interface SessionsOptions {
  readonly status?: NonNullable<BatchSessionRecord["message_status"]>;
  readonly limit: number;
}

export function addBatchCommands(program: Command, io: Io): void {
  const batches = program.command("batches").description("start and manage batches of sessions");
  addCreateCommand(batches, io);
  addReadCommands(batches, io);
  batches
    .command("cancel <batch>")
    .description("cancel the messages of a batch that have not ended")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).cancelSessionBatch(id, { signal });
      output.result(record, () => renderBatch(record));
    });
}

function addCreateCommand(batches: Command, io: Io): void {
  batches
    .command("create <file>")
    .description(
      "start a session for each line of a file (- for standard input); a line is plain text or a JSON object",
    )
    .addOption(agentOption("agent that runs the sessions").makeOptionMandatory())
    .option("--version-id <id>", "a ready version (default: the active one)")
    .option("--name <name>", "a name for the batch")
    .addOption(laneOption("background"))
    .option(
      "--max-concurrency <turns>",
      "maximum number of concurrent turns of the batch (default: no limit)",
      parseCount,
    )
    .option("--metadata <key=value>", "attach a pair to the batch; repeatable", collectOption, [])
    .action(async (file: string, options: CreateOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const metadata = parsePairs(options.metadata, "--metadata");
      const body = {
        agent_id: options.agentId,
        ...given({
          version_id: options.versionId,
          name: options.name,
          lane: options.lane,
          max_concurrency: options.maxConcurrency,
        }),
        ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
        sessions: sessionsOf(await readLines(file, io)),
      };
      // Imported here, so that other commands start without the schemas.
      const contract = await import("@dari/contract");
      const issues = contract.validate(contract.CreateSessionBatchRequest, body);
      if (issues.length > 0) throw invalid(issues.map(({ path, message }) => `${path}: ${message}`).join("\n"));
      // The body was checked above.
      const record = await (await client()).createSessionBatch(body as CreateSessionBatchRequest, { signal });
      output.progress(`Started ${record.total} sessions.`);
      output.result(record, () => record.id);
    });
}

async function readLines(file: string, io: Io): Promise<string[]> {
  const content = file === "-" ? await readText(io.stdin) : await read(file);
  return content.split("\n").filter((line) => line.trim() !== "");
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw invalid(`${file} cannot be read: ${systemErrorCode(error) ?? "unknown"}`);
  }
}

/** A line that begins with a brace is an item in the API's form: `parts`, `name`, `metadata`. */
function sessionsOf(lines: readonly string[]): unknown[] {
  return lines.map((line, index) => {
    if (!line.trimStart().startsWith("{")) return { parts: [{ type: "text", text: line }] };
    try {
      return JSON.parse(line) as unknown;
    } catch {
      throw invalid(`line ${index + 1} starts with { but is not valid JSON; fix it, or use {"parts": ...}`);
    }
  });
}

function addReadCommands(batches: Command, io: Io): void {
  batches
    .command("list")
    .description("list batches, newest first")
    .addOption(limitOption())
    .action(({ limit }: { readonly limit: number }, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listSessionBatches(page, call),
        limit,
        headings: ["BATCH", "STATUS", "SESSIONS", "AGENT", "CREATED", "NAME"],
        cells: (row) => [row.id, row.status, String(row.total), row.agent_id, row.created_at, row.name ?? ""],
      }),
    );
  batches
    .command("get <batch>")
    .description("show a batch and its progress")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getSessionBatch(id, { signal });
      output.result(record, () => renderBatch(record));
    });
  batches
    .command("sessions <batch>")
    .description("list a batch's sessions in the order of the file")
    .addOption(
      new Option("--status <status>", "only sessions whose message has this status").choices(messageMachine.states),
    )
    .addOption(limitOption())
    .action((id: string, { status, limit }: SessionsOptions, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listBatchSessions(id, { ...page, ...given({ message_status: status }) }, call),
        limit,
        headings: ["INDEX", "SESSION", "MESSAGE", "STATUS", "ERROR"],
        cells: (row) => [
          String(row.index),
          row.session_id,
          row.message_id,
          row.message_status ?? "(deleted)",
          row.error === null ? "" : `${row.error.code}: ${row.error.message}`,
        ],
      }),
    );
}

function renderBatch(record: SessionBatchRecord): string {
  const counts = Object.entries(record.counts).filter(([, count]) => count > 0);
  return [
    `batch     ${record.id}`,
    `name      ${record.name ?? ""}`,
    `status    ${record.status}`,
    `sessions  ${record.total}: ${counts.map(([status, count]) => `${count} ${status}`).join(", ")}`,
    `lane      ${record.lane}`,
    ...(record.max_concurrency === null ? [] : [`limit     ${record.max_concurrency} concurrent turns`]),
    `agent     ${record.agent_id}`,
    `created   ${record.created_at}`,
    `finished  ${record.finished_at ?? ""}`,
  ].join("\n");
}
