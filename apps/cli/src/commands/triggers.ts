// `dari trigger …`: URLs that turn other services' events into messages of an agent.

import type { CreateTriggerRequest, TriggerCondition, TriggerRecord } from "@dari/contract";
import { triggerSchemes, type TriggerScheme } from "@dari/contract/vocabulary";
import type { Lane } from "@dari/domain";
import { type Command, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { invalid } from "../exit.ts";
import { collectOption, given, laneOption, limitOption } from "../options.ts";
import { readSecret } from "../secret-input.ts";
import { showRows } from "../show-rows.ts";

interface ChangeOptions {
  readonly name?: string;
  readonly sessionKey?: string | false;
  readonly eventId?: string | false;
  readonly when?: readonly string[] | false;
  readonly missing?: "empty" | "refuse";
  readonly includeBody?: boolean;
  readonly lane?: Lane;
}

interface CreateOptions extends ChangeOptions {
  readonly scheme: TriggerScheme;
  readonly secretStdin?: boolean;
  readonly paused?: boolean;
}

interface SetOptions extends ChangeOptions {
  readonly text?: string;
}

export function addTriggerCommands(program: Command, io: Io): void {
  const triggers = program.command("trigger").description("manage URLs that turn other services' events into messages");
  addReadCommands(triggers, io);
  addCreateCommand(triggers, io);
  addSetCommand(triggers, io);
  addStatusCommands(triggers, io);
  addRotateCommand(triggers, io);
}

function addReadCommands(triggers: Command, io: Io): void {
  triggers
    .command("list <agent>")
    .description("list an agent's triggers, newest first, without their URLs and secrets")
    .addOption(limitOption())
    .action((agent: string, { limit }: { readonly limit: number }, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listTriggers(agent, page, call),
        limit,
        headings: ["TRIGGER", "STATUS", "SCHEME", "SESSION KEY", "NAME"],
        cells: (row) => [row.id, statusOf(row), row.scheme, row.session_key ?? "", row.name ?? ""],
      }),
    );
  triggers
    .command("get <agent> <trigger>")
    .description("show a trigger, without its URL and secret")
    .action(async (agent: string, id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getTrigger(agent, id, { signal });
      output.result(record, () => renderTrigger(record));
    });
}

function changeOptions(command: Command): Command {
  return command
    .option("--name <name>", "a name for people")
    .option("--session-key <template>", "events with the same key go to the same session, for example: '{{issue.id}}'")
    .option("--event-id <template>", "what identifies an event, so that it sends one message; default: the scheme's id")
    .option(
      "--when <condition>",
      "only such events: path=value, header:Name=value,other, path (has a value) or !path (has none); repeatable",
      collectWhen,
    )
    .addOption(
      new Option("--missing <what>", "what to do if a value of the text is missing (default: empty)").choices([
        "empty",
        "refuse",
      ]),
    )
    .option("--include-body", "add the event's JSON to the message as its second text part")
    .addOption(laneOption("interactive; with set: unchanged"));
}

function collectWhen(value: string, earlier: readonly string[] | false | undefined): string[] {
  return collectOption(value, earlier === false ? [] : (earlier ?? []));
}

function addCreateCommand(triggers: Command, io: Io): void {
  const create = triggers
    .command("create <agent> <text>")
    .description(
      "send a text for each event, for example: 'Issue {{issue.number}}: {{issue.title}}'; prints the URL once, on " +
        "standard output, and a secret that the platform makes on the next line",
    )
    .addOption(
      new Option("--scheme <scheme>", "how the sender signs events").choices(triggerSchemes).makeOptionMandatory(),
    )
    .option("--secret-stdin", "read the sender's secret from standard input")
    .option("--paused", "create it paused");
  changeOptions(create).action(async (agent: string, text: string, options: CreateOptions, command: Command) => {
    const { output, client, signal } = createContext(io, command);
    const secret = options.secretStdin === true ? await readSecret(io, "Secret: ", true) : undefined;
    const body: CreateTriggerRequest = {
      scheme: options.scheme,
      text,
      ...given({
        secret,
        ...sharedFields(options),
        session_key: options.sessionKey === false ? undefined : options.sessionKey,
        event_id: options.eventId === false ? undefined : options.eventId,
      }),
      ...(options.paused === true ? { status: "paused" as const } : {}),
    };
    const reply = await (await client()).createTrigger(agent, body, { signal });
    output.progress(`Created ${reply.id}; this is the only time its URL is shown. The URL is a secret.`);
    if (!reply.has_secret && reply.scheme !== "none") {
      const hint = `dari trigger rotate ${agent} ${reply.id} --secret-stdin`;
      output.progress(`It refuses all events until you set the sender's secret: ${hint}`);
    }
    output.result(reply, () => [reply.url, reply.secret].filter((one) => one !== undefined).join("\n"));
  });
}

function sharedFields({ name, when, missing, includeBody, lane }: ChangeOptions) {
  const conditions = when === undefined ? undefined : when === false ? [] : when.map(parseCondition);
  return { name, when: conditions, missing, include_body: includeBody, lane };
}

const headerPrefix = "header:";

/** Parses `path=a,b`, `header:Name=a`, `path` and `!path`. @throws CliError (exit code 2) */
function parseCondition(text: string): TriggerCondition {
  const at = text.indexOf("=");
  const isAbsent = at < 0 && text.startsWith("!");
  const source = at < 0 ? text.slice(isAbsent ? 1 : 0) : text.slice(0, at);
  if (source === "") throw invalid(`--when expects a condition such as action=opened, not ${JSON.stringify(text)}`);
  const what = source.startsWith(headerPrefix) ? { header: source.slice(headerPrefix.length) } : { path: source };
  return at < 0 ? { ...what, exists: !isAbsent } : { ...what, equals: text.slice(at + 1).split(",") };
}

function addSetCommand(triggers: Command, io: Io): void {
  const set = triggers
    .command("set <agent> <trigger>")
    .description("change a trigger; other settings are unchanged")
    .option("--text <text>", "new text");
  // After the options that they negate, or else those would be set by default.
  const both = changeOptions(set)
    .option("--no-session-key", "start a session for each event")
    .option("--no-event-id", "identify events by the scheme's id")
    .option("--no-when", "send all events")
    .option("--no-include-body", "send only the text");
  both.action(async (agent: string, id: string, options: SetOptions, command: Command) => {
    const { output, client, signal } = createContext(io, command);
    const body = {
      ...given({
        text: options.text,
        ...sharedFields(options),
        session_key: options.sessionKey === false ? null : options.sessionKey,
        event_id: options.eventId === false ? null : options.eventId,
      }),
    };
    if (Object.keys(body).length === 0) throw invalid("give at least one change: --text, --when, --session-key …");
    const record = await (await client()).updateTrigger(agent, id, body, { signal });
    output.result(record, () => renderTrigger(record));
  });
}

function addStatusCommands(triggers: Command, io: Io): void {
  triggers
    .command("pause <agent> <trigger>")
    .description("pause a trigger; events are answered and send nothing")
    .action(async (agent: string, id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).updateTrigger(agent, id, { status: "paused" }, { signal });
      output.result(record, () => `paused ${id}`);
    });
  triggers
    .command("resume <agent> <trigger>")
    .description("resume a paused trigger; events that came during the pause are not sent")
    .action(async (agent: string, id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).updateTrigger(agent, id, { status: "active" }, { signal });
      output.result(record, () => `resumed ${id}`);
    });
  triggers
    .command("delete <agent> <trigger>")
    .description("delete a trigger; its URL stops working at once, its sessions stay")
    .action(async (agent: string, id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      output.result(await (await client()).deleteTrigger(agent, id, { signal }), () => `deleted ${id}`);
    });
}

function addRotateCommand(triggers: Command, io: Io): void {
  triggers
    .command("rotate <agent> <trigger>")
    .description("replace the secret; the one before is accepted for 24 hours. Prints a secret that the platform makes")
    .option("--secret-stdin", "read the sender's new secret from standard input")
    .action(async (agent: string, id: string, options: { readonly secretStdin?: boolean }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const body = options.secretStdin === true ? { secret: await readSecret(io, "Secret: ", true) } : {};
      const reply = await (await client()).rotateTriggerSecret(agent, id, body, { signal });
      const until = reply.old_secret_expires_at;
      output.progress(`${id} accepts ${until === null ? "only the new secret" : `the old secret until ${until}`}.`);
      output.result(reply, () => reply.secret ?? `replaced the secret of ${id}`);
    });
}

function statusOf({ status, scheme, has_secret: hasSecret }: TriggerRecord): string {
  return hasSecret || scheme === "none" ? status : `${status} (no secret)`;
}

function renderTrigger(record: TriggerRecord): string {
  const conditions = record.when.map(renderCondition);
  return [
    `trigger      ${record.id}`,
    `name         ${record.name ?? ""}`,
    `status       ${statusOf(record)}`,
    `scheme       ${record.scheme}`,
    `text         ${record.text}${record.include_body ? " (and the event's JSON)" : ""}`,
    `session key  ${record.session_key ?? "none: each event starts a session"}`,
    `event id     ${record.event_id ?? "the scheme's"}`,
    `when         ${conditions.length === 0 ? "always" : conditions.join(" and ")}`,
    `lane         ${record.lane}`,
    `agent        ${record.agent_id}`,
  ].join("\n");
}

function renderCondition({ header, path = "", equals, exists }: TriggerCondition): string {
  const source = header === undefined ? path : `${headerPrefix}${header}`;
  if (equals !== undefined) return `${source}=${equals.join(",")}`;
  return exists === true ? source : `!${source}`;
}
