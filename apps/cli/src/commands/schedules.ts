// `dari schedules …`: messages that the platform sends at due times, and the result of each.

import { type Client } from "@dari/client";
import type { MessagePartInput, ScheduleRecord } from "@dari/contract";
import { scheduleStatuses, type ScheduleStatus } from "@dari/contract/vocabulary";
import { firingOutcomes, overlapPolicies, type FiringOutcome, type Lane, type OverlapPolicy } from "@dari/domain";
import { type Command, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { invalid } from "../exit.ts";
import { agentOption, collectOption, given, laneOption, limitOption, parsePairs } from "../options.ts";
import { uploadPath } from "../upload.ts";

interface ChangeOptions {
  readonly name?: string;
  readonly timeZone?: string;
  readonly overlap?: OverlapPolicy;
  readonly lane?: Lane;
  readonly metadata: readonly string[];
  readonly file: readonly string[];
  readonly image: readonly string[];
}

interface CreateOptions extends ChangeOptions {
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly paused?: boolean;
}

interface SetOptions extends ChangeOptions {
  readonly cron?: string;
  readonly text?: string;
}

interface ListOptions {
  readonly agentId?: string;
  readonly status?: ScheduleStatus;
  readonly limit: number;
}

interface FiringsOptions {
  readonly outcome?: FiringOutcome;
  readonly limit: number;
}

export function addScheduleCommands(program: Command, io: Io): void {
  const schedules = program.command("schedules").description("manage messages that are sent on a schedule");
  addReadCommands(schedules, io);
  addCreateCommand(schedules, io);
  addSetCommand(schedules, io);
  addStatusCommands(schedules, io);
  addFiringsCommand(schedules, io);
}

function addReadCommands(schedules: Command, io: Io): void {
  schedules
    .command("list")
    .description("list schedules, newest first")
    .addOption(agentOption("only schedules of this agent"))
    .addOption(new Option("--status <status>", "only schedules with this status").choices(scheduleStatuses))
    .addOption(limitOption())
    .action(({ agentId, status, limit }: ListOptions, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listSchedules({ ...given({ agent_id: agentId, status }), ...page }, call),
        limit,
        headings: ["SCHEDULE", "STATUS", "CRON", "TIME ZONE", "NEXT", "NAME"],
        cells: (row) => [row.id, statusOf(row), row.cron, row.time_zone, row.next_due_at ?? "", row.name ?? ""],
      }),
    );
  schedules
    .command("get <schedule>")
    .description("show a schedule")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getSchedule(id, { signal });
      output.result(record, () => renderSchedule(record));
    });
}

function changeOptions(command: Command): Command {
  return command
    .option("--name <name>", "a name for people")
    .option("--time-zone <zone>", "IANA time zone, for example Europe/Berlin (default: UTC; with set: unchanged)")
    .addOption(
      new Option(
        "--overlap <policy>",
        "if the previous message has not ended: skip this one, allow both, or replace the previous one",
      ).choices(overlapPolicies),
    )
    .addOption(laneOption("background; with set: unchanged"))
    .option("--metadata <key=value>", "attach a pair to each message; repeatable", collectOption, [])
    .option("--file <path>", "attach a file; repeatable", collectOption, [])
    .option("--image <path>", "attach an image; repeatable", collectOption, []);
}

function addCreateCommand(schedules: Command, io: Io): void {
  const create = schedules
    .command("create <cron> <text>")
    .description("send a text on a schedule, for example: '30 9 * * MON-FRI' 'What is new?'")
    .addOption(agentOption("send to a new session of this agent each time"))
    .option("--session-id <id>", "send to this session each time")
    .option("--paused", "create it paused");
  changeOptions(create).action(async (cron: string, text: string, options: CreateOptions, command: Command) => {
    const { agentId, sessionId } = options;
    if ((agentId === undefined) === (sessionId === undefined)) throw invalid("give either --agent or --session-id");
    const { output, client, signal } = createContext(io, command);
    const api = await client();
    const body = {
      cron,
      parts: await partsOf(api, text, options, signal),
      ...given({ agent_id: agentId, session_id: sessionId }),
      ...(options.paused === true ? { status: "paused" as const } : {}),
      ...sharedFields(options),
    };
    const record = await api.createSchedule(body, { signal });
    const due = record.next_due_at;
    output.progress(due === null ? "The schedule is paused." : `The first message is due at ${due}.`);
    output.result(record, () => record.id);
  });
}

function addSetCommand(schedules: Command, io: Io): void {
  const set = schedules
    .command("set <schedule>")
    .description("change a schedule; other settings are unchanged")
    .option("--cron <cron>", "new times")
    .option("--text <text>", "new text; replaces the message's files and images too");
  changeOptions(set).action(async (id: string, options: SetOptions, command: Command) => {
    const { output, client, signal } = createContext(io, command);
    const { text, file, image } = options;
    if (text === undefined && file.length + image.length > 0) throw invalid("--file and --image need --text");
    const api = await client();
    const body = {
      ...(options.cron === undefined ? {} : { cron: options.cron }),
      ...(text === undefined ? {} : { parts: await partsOf(api, text, options, signal) }),
      ...sharedFields(options),
    };
    if (Object.keys(body).length === 0) throw invalid("give at least one change: --cron, --text, --overlap …");
    const record = await api.updateSchedule(id, body, { signal });
    output.result(record, () => renderSchedule(record));
  });
}

function sharedFields(options: ChangeOptions) {
  const metadata = parsePairs(options.metadata, "--metadata");
  return {
    ...given({ name: options.name, time_zone: options.timeZone, overlap: options.overlap, lane: options.lane }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

async function partsOf(
  api: Client,
  text: string,
  options: Pick<ChangeOptions, "file" | "image">,
  signal: AbortSignal,
): Promise<MessagePartInput[]> {
  const parts: MessagePartInput[] = [{ type: "text", text }];
  for (const path of options.file) parts.push({ type: "file", file_id: (await uploadPath(api, path, signal)).id });
  for (const path of options.image) parts.push({ type: "image", file_id: (await uploadPath(api, path, signal)).id });
  return parts;
}

function addStatusCommands(schedules: Command, io: Io): void {
  schedules
    .command("pause <schedule>")
    .description("pause a schedule until it is resumed")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).updateSchedule(id, { status: "paused" }, { signal });
      output.result(record, () => `paused ${id}`);
    });
  schedules
    .command("resume <schedule>")
    .description("resume a schedule with its next due time; missed ones are not sent")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).updateSchedule(id, { status: "active" }, { signal });
      output.result(record, () => `resumed ${id}; the next message is due at ${record.next_due_at ?? "no time"}`);
    });
  schedules
    .command("delete <schedule>")
    .description("delete a schedule; messages it has sent continue")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      output.result(await (await client()).deleteSchedule(id, { signal }), () => `deleted ${id}`);
    });
}

function addFiringsCommand(schedules: Command, io: Io): void {
  schedules
    .command("firings <schedule>")
    .description("show the outcome of each due time, newest first")
    .addOption(new Option("--outcome <outcome>", "only with this outcome").choices(firingOutcomes))
    .addOption(limitOption())
    .action((id: string, { outcome, limit }: FiringsOptions, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listScheduleFirings(id, { ...page, ...given({ outcome }) }, call),
        limit,
        headings: ["DUE", "OUTCOME", "MESSAGE", "STATUS", "WHY"],
        cells: (row) => {
          const reasonText = row.reason === null ? "" : `${row.reason.code}: ${row.reason.message}`;
          return [row.due_at, row.outcome, row.message_id ?? "", row.message_status ?? "", reasonText];
        },
      }),
    );
}

function statusOf({ status, paused_reason: reason }: ScheduleRecord): string {
  return reason === null || reason === "manual" ? status : `${status} (${reason})`;
}

function renderSchedule(record: ScheduleRecord): string {
  return [
    `schedule    ${record.id}`,
    `name        ${record.name ?? ""}`,
    `status      ${statusOf(record)}`,
    `cron        ${record.cron} (${record.time_zone})`,
    `next        ${record.next_due_at ?? ""}`,
    `last fired  ${record.last_fired_at ?? "never"}`,
    `overlap     ${record.overlap}`,
    `lane        ${record.lane}`,
    `agent       ${record.agent_id}`,
    `session     ${record.session_id ?? "a new one each time"}`,
  ].join("\n");
}
