// `dari session …`: creates sessions, sends messages, and shows files and events.

import { ApiError, type Client, eachRow, isLedgerEvent } from "@dari/client";
import type { DirectoryListing, EventRecord, SessionRecord, SessionStatus } from "@dari/contract";
import { sessionStatuses } from "@dari/contract/vocabulary";
import { onBusyChoices, type OnBusy } from "@dari/domain";
import { type Command, Option } from "commander";
import { Readable } from "node:stream";
import { createContext, type Io } from "../context.ts";
import { sessionAddress } from "../console-address.ts";
import { rememberLast } from "../last-used.ts";
import { showRows } from "../show-rows.ts";
import { findDeployedAgent } from "../deploy-state.ts";
import { CliError, exitCodes, invalid } from "../exit.ts";
import { agentOption, collectOption, given, limitOption, parsePairs, collectRows } from "../options.ts";
import { saveTo, table } from "../output.ts";
import { addSessionHistoryCommands } from "./history.ts";
import { addSessionRecordCommands } from "./session-records.ts";
import { addSendCommand } from "./send.ts";
import { addPortableCommands, addWorkspaceCommands } from "./workspace.ts";

interface CreateOptions {
  readonly name?: string;
  readonly versionId?: string;
  readonly metadata: readonly string[];
  readonly onBusy?: OnBusy;
}

interface ListOptions {
  readonly agentId?: string;
  readonly status?: SessionStatus;
  readonly metadata: readonly string[];
  readonly limit: number;
}

export function addSessionCommands(program: Command, io: Io): void {
  const session = program.command("session").description("start sessions and send messages");
  addCreateCommand(session, io);
  addSendCommand(session, io);
  session
    .command("get <session>")
    .description("show a session")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getSession(id, { signal });
      output.result(record, () => renderSession(record));
    });
  addListCommand(session, io);
  addSessionRecordCommands(session, io);
  addFilesCommand(session, io);
  addEventsCommand(session, io);
  addSessionHistoryCommands(session, io);
  addWorkspaceCommands(session, io);
  addPortableCommands(session, io);
}

function addCreateCommand(session: Command, io: Io): void {
  session
    .command("create [agent]")
    .description("start a session (default agent: the one this directory was deployed as)")
    .option("--name <name>", "a name for the session")
    .option("--version-id <id>", "a ready version (default: the active one)")
    .option("--metadata <key=value>", "add a metadata pair; repeatable", collectOption, [])
    .addOption(
      new Option("--on-busy <choice>", "what to do if the session is busy (default: enqueue)").choices(onBusyChoices),
    )
    .action(async (agent: string | undefined, options: CreateOptions, command: Command) => {
      const context = createContext(io, command);
      const { output, client, connection, signal } = context;
      const { apiUrl } = await connection();
      const agentId = agent ?? (await findDeployedAgent(".", apiUrl));
      if (agentId === undefined) {
        throw invalid(`this directory was not deployed to ${apiUrl}; name an agent: \`dari agents list\` shows them`);
      }
      const metadata = parsePairs(options.metadata, "--metadata");
      const body = {
        ...given({ name: options.name, version_id: options.versionId, on_busy: options.onBusy }),
        ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
      };
      const record = await (await client()).createSession(agentId, body, { signal });
      await rememberLast(context, { session: record.id, agent: record.agent_id });
      output.result(record, () => record.id);
      if (!output.isJson) output.progress(`Console: ${sessionAddress(apiUrl, record.id)}`);
      output.hint('dari session send - "Hello"');
    });
}

function addListCommand(session: Command, io: Io): void {
  session
    .command("list")
    .description("list sessions, newest first")
    .addOption(agentOption("only sessions of this agent"))
    .addOption(new Option("--status <status>", "only sessions with this status").choices(sessionStatuses))
    .option("--metadata <key=value>", "only sessions with this metadata pair; repeatable", collectOption, [])
    .addOption(limitOption())
    .action(async (options: ListOptions, command: Command) => {
      const filter = {
        metadata: parsePairs(options.metadata, "--metadata"),
        ...given({ agent_id: options.agentId, status: options.status }),
      };
      await showRows(io, command, {
        load: (api, page, call) => api.listSessions({ ...filter, ...page }, call),
        limit: options.limit,
        headings: ["SESSION", "STATUS", "AGENT", "CREATED", "NAME"],
        cells: (row) => [row.id, row.status, row.agent_id, row.created_at, row.name ?? ""],
      });
    });
}

function addFilesCommand(session: Command, io: Io): void {
  session
    .command("files <session> [path]")
    .description("list the session's files, or a directory of them, or download a file")
    .option("--recursive", "list everything below the directory")
    .option("--output <file>", "save the file to this path; - for standard output")
    .action(async (id: string, path: string | undefined, options: FilesOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      if (options.output !== undefined) {
        if (path === undefined) throw invalid("--output needs the path of a file");
        const content = Readable.from(await api.getSessionFileContent(id, { path }, { signal }));
        await saveTo(options.output, content, io);
        return;
      }
      const listing = await listFiles(api, id, { path, recursive: options.recursive ?? false }, signal).catch(
        (error: unknown) => {
          const mayBeFile =
            error instanceof ApiError && error.code === "not_found" && error.detail.startsWith("directory ");
          // Programs get the platform's own error.
          if (!mayBeFile || output.isJson) throw error;
          throw new CliError(
            `there is no directory ${path ?? "/"}; download a file with --output <file> (- for standard output)`,
            exitCodes.notFound,
          );
        },
      );
      output.result(listing, () => {
        const rows = listing.entries.map((entry) => [entry.path, entry.type, String(entry.size_bytes ?? "")]);
        return table(["PATH", "TYPE", "BYTES"], rows);
      });
    });
}

/** The files that clients upload are in this directory. */
const uploads = "/input";

/** Lists one level, or with `recursive` everything below. The root's list also has what was uploaded. */
async function listFiles(
  api: Client,
  id: string,
  { path, recursive }: { readonly path: string | undefined; readonly recursive: boolean },
  signal: AbortSignal,
): Promise<DirectoryListing> {
  const listing = await api.listSessionFiles(id, { ...given({ path }), recursive }, { signal });
  const at = listing.entries.findIndex((entry) => entry.path === uploads && entry.type === "directory");
  if (path !== undefined || recursive || at < 0) return listing;
  const { entries } = await api.listSessionFiles(id, { path: uploads }, { signal });
  return { ...listing, entries: listing.entries.toSpliced(at + 1, 0, ...entries) };
}

function addEventsCommand(session: Command, io: Io): void {
  session
    .command("events <session>")
    .description("list the events of a session")
    .option("--after-seq <number>", "only events after this sequence number", Number)
    .option("-f, --follow", "wait for further events and show them")
    .addOption(limitOption())
    .action(async (id: string, options: EventsOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      if (options.follow === true) {
        for await (const event of api.streamSession(id, { after_seq: options.afterSeq }, { signal })) {
          if (isLedgerEvent(event)) output.line(event, () => eventRow(event).join("  "));
        }
        return;
      }
      const from = { after_seq: options.afterSeq };
      const load = eachRow((page) => {
        return api.listEvents(id, page.after === undefined ? { ...from, ...page } : page, { signal });
      });
      const events = await collectRows(load, options.limit);
      output.result(events, () => {
        return table(["SEQ", "TIME", "TYPE", "MESSAGE"], events.map(eventRow));
      });
    });
}

function eventRow(event: EventRecord): string[] {
  return [String(event.sequence_number), event.created_at, event.type, event.message_id ?? ""];
}

interface EventsOptions {
  readonly follow?: boolean;
  readonly afterSeq?: number;
  readonly limit: number;
}

interface FilesOptions {
  readonly recursive?: boolean;
  readonly output?: string;
}

function renderSession(record: SessionRecord): string {
  const { last_message_id: id, last_message_status: status } = record;
  const last = id === null ? "none" : `${id} (${status ?? ""})`;
  return [
    `session       ${record.id}`,
    `status        ${record.status}`,
    `agent         ${record.agent_id}`,
    `version       ${record.version_id}`,
    `name          ${record.name ?? ""}`,
    `last message  ${last}`,
    `created       ${record.created_at}`,
    ...(record.forked_from === undefined ? [] : [`forked from   ${record.forked_from.session_id}`]),
  ].join("\n");
}
