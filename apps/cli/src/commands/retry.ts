// `dari message retry`: sends one failed message again or, with `--all`, every one that matches the filters.

import type { Client } from "@dari/client";
import type { MessagesRetried, RetryMessagesRequest } from "@dari/contract";
import { onBusyChoices, type Lane, type OnBusy } from "@dari/domain";
import { type Command, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { invalid } from "../exit.ts";
import { agentOption, given, laneOption } from "../options.ts";
import { table } from "../output.ts";

interface RetryOptions {
  readonly all?: boolean;
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly errorCode?: string;
  readonly failedAfter?: string;
  readonly failedBefore?: string;
  readonly org?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly fork?: boolean;
  readonly onBusy?: OnBusy;
  readonly lane?: Lane;
  readonly versionId?: string;
}

type Retried = Pick<MessagesRetried, "matched" | "retried" | "skipped" | "dry_run">;

/** Each call is one transaction. Small ones lock their sessions only briefly. */
const perCall = 100;

export function addRetryCommand(message: Command, io: Io): void {
  message
    .command("retry [message]")
    .description("send a failed message again, as a new message of its session; show the new message's id")
    .option("--fork", "send it in a fork that starts before the failed message")
    .option("--version-id <id>", "with --fork: run it on another ready version")
    .addOption(
      new Option("--on-busy <choice>", "what to do if the session is busy (default: enqueue)").choices(onBusyChoices),
    )
    .addOption(laneOption("the failed message's; with --all: background"))
    .option("--all", "retry every failed message that matches the filters below, except those already retried")
    .addOption(agentOption("with --all: only messages of this agent"))
    .option("--session-id <id>", "with --all: only messages of this session")
    .option("--error-code <code>", "with --all: only messages that failed with this code")
    .option("--failed-after <time>", "with --all: only messages that failed after this RFC 3339 time")
    .option("--failed-before <time>", "with --all: only messages that failed before this RFC 3339 time")
    .addOption(new Option("--org <id>", "with --all: messages of another organization, or 'all' (for operators)"))
    .option("--force", "with --all: also messages that were already retried")
    .option("--dry-run", "with --all: only list the messages")
    .action(async (id: string | undefined, options: RetryOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const { all, fork, versionId, onBusy, lane, ...filters } = options;
      if (fork === undefined && versionId !== undefined) {
        throw invalid("--version-id can only be used with --fork");
      }
      if (all === true && (fork === true || onBusy !== undefined)) {
        throw invalid("--fork and --on-busy cannot be used with --all");
      }
      if (all === true) {
        if (id !== undefined) throw invalid("give a message or --all, not both");
        const result = await retryAll(await client(), options, signal, (line) => output.progress(line));
        output.result(result, () => renderRetried(result));
        return;
      }
      const names = Object.keys(filters).map(flagOf);
      if (names.length > 0) throw invalid(`${names.join(", ")} can only be used with --all`);
      if (id === undefined) throw invalid("give a message, or --all");
      const body = {
        ...(fork === true ? { fork } : {}),
        ...given({ version_id: versionId, on_busy: onBusy, lane }),
      };
      const record = await (await client()).retryMessage(id, body, { signal });
      output.result(record, () => (fork === true ? `${record.id} in ${record.session_id}` : record.id));
    });
}

/** `agentId` → `--agent-id` */
function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

async function retryAll(
  api: Client,
  options: RetryOptions,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<Retried> {
  const result = {
    matched: 0,
    retried: [] as Retried["retried"],
    skipped: [] as Retried["skipped"],
    dry_run: options.dryRun === true,
  };
  const request = requestOf(options, options.failedBefore ?? (await nowAt(api, signal)));
  for (let after: string | undefined; ;) {
    const body = { ...request, limit: perCall, ...(after === undefined ? {} : { after }) };
    const page = await api.retryMessages(body, { signal });
    result.matched += page.matched;
    result.retried.push(...page.retried);
    result.skipped.push(...page.skipped);
    if (page.next === null) return result;
    after = page.next;
    progress(`${result.matched} failed messages so far, ${result.retried.length} ${sentAgain(result)}`);
  }
}

/**
 * Returns the time of the platform's clock, as the end time of the filter. Without an end time, the loop would never
 * end: it would also find the messages that failed again.
 */
async function nowAt(api: Client, signal: AbortSignal): Promise<string> {
  const { serverTime } = await api.probe({ signal });
  // The header has whole seconds.
  return new Date((serverTime?.getTime() ?? Date.now()) + 1_000).toISOString();
}

function requestOf(options: RetryOptions, failedBefore: string): RetryMessagesRequest {
  const filter = {
    organization_id: options.org,
    agent_id: options.agentId,
    session_id: options.sessionId,
    error_code: options.errorCode,
    failed_after: options.failedAfter,
    failed_before: failedBefore,
  };
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  return {
    filter: Object.fromEntries(given),
    ...(options.lane === undefined ? {} : { lane: options.lane }),
    ...(options.force === true ? { force: true } : {}),
    ...(options.dryRun === true ? { dry_run: true } : {}),
  };
}

function sentAgain({ dry_run: isDryRun }: Retried): string {
  return isDryRun ? "would be sent again" : "sent again";
}

function renderRetried(result: Retried): string {
  const rows = [
    ...result.retried.map((row) => [row.message_id, row.retry_message_id ?? "would be sent again"]),
    ...result.skipped.map((row) => [row.message_id, `skipped: ${row.reason}`]),
  ];
  const sent = `${result.retried.length} ${sentAgain(result)}`;
  const counts = `${result.matched} failed, ${sent}, ${result.skipped.length} skipped`;
  return rows.length === 0 ? counts : `${table(["FAILED MESSAGE", "NEW MESSAGE"], rows)}\n${counts}`;
}
