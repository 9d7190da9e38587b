// `dari release check`: replays an agent's newest recorded turns on another version, as a gate before its activation.

import { ApiError, eachRow, type Client } from "@dari/client";
import type { ReplayReport } from "@dari/contract";
import { type Command, InvalidArgumentError, Option } from "commander";
import { createContext, type Context, type Io } from "../context.ts";
import { CliError } from "../exit.ts";
import { collectRows, parseCount } from "../options.ts";
import { formatDollars, table } from "../output.ts";
import { describeChanges, describeRequests, runReplay, showCost } from "../replay/run-replay.ts";
import { noLiveOption } from "./replay.ts";

interface CheckOptions {
  readonly versionId: string;
  readonly last: number;
  readonly maxChanged: number;
  readonly live: boolean;
}

type Checked =
  | { readonly message_id: string; readonly report: ReplayReport }
  /** It could not be replayed. */
  | { readonly message_id: string; readonly skipped: string };

/** Replays at the same time. */
const concurrency = 4;

export function addReleaseCommands(program: Command, io: Io): void {
  const release = program.command("release").description("check a version before it becomes active");
  release
    .command("check <agent>")
    .description("replay an agent's newest recorded turns on a version; exit code 1 if too many of them change")
    .requiredOption("--version-id <id>", "the ready version to check")
    .addOption(new Option("--last <number>", "number of turns").default(20).argParser(parseCount))
    .addOption(new Option("--max-changed <number>", "how many turns may change").default(0).argParser(parseWholeNumber))
    .addOption(noLiveOption())
    .action(async (agent: string, options: CheckOptions, command: Command) => {
      const context = createContext(io, command);
      const api = await context.client();
      const checked = await checkTurns(context, api, agent, options);
      const result = summarize(checked);
      context.output.result(result, () => render(checked, result));
      judge(result, options);
    });
}

function parseWholeNumber(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new InvalidArgumentError("expected a whole number from 0 to 999,999");
  return Number(text);
}

async function checkTurns(
  { output, signal }: Context,
  api: Client,
  agent: string,
  { versionId, last, live }: CheckOptions,
): Promise<Checked[]> {
  const found = await collectRows(
    eachRow((page) => api.listRecordings(agent, page, { signal })),
    last,
  );
  if (found.length < last) output.progress(`${agent} has ${found.length} recorded turns, not ${last}`);
  const progress = (line: string): void => output.progress(line);
  // A failure of one replay ends the others, which then delete their sessions.
  const failed = new AbortController();
  const run = { versionId, live, signal: AbortSignal.any([signal, failed.signal]), progress };
  const checked = new Map<string, Checked>();
  const waiting = found.values();
  const work = async (): Promise<void> => {
    for (const { message_id: id } of waiting) {
      const one = await checkTurn(api, id, run).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      });
      checked.set(id, one);
      progress(`${checked.size} of ${found.length}: ${id} ${wordsOf(one)}`);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: concurrency }, work));
  const first = ended.find((each) => each.status === "rejected");
  if (first !== undefined) throw signal.aborted ? first.reason : (failed.signal.reason ?? first.reason);
  return found.flatMap(({ message_id: id }) => checked.get(id) ?? []);
}

async function checkTurn(api: Client, id: string, run: Parameters<typeof runReplay>[2]): Promise<Checked> {
  try {
    return { message_id: id, report: (await runReplay(api, id, run)).report };
  } catch (error) {
    // A recording can expire, and a file or session be deleted, while others are replayed.
    if (!(error instanceof ApiError) || ![404, 409, 422].includes(error.status)) throw error;
    return { message_id: id, skipped: error.detail };
  }
}

interface CheckResult {
  readonly replayed: number;
  readonly same: number;
  readonly changed: number;
  readonly skipped: number;
  /** Null: the cost of a request is not known. */
  readonly cost_microusd: number | null;
  readonly turns: readonly Checked[];
}

function summarize(turns: readonly Checked[]): CheckResult {
  const reports = turns.flatMap((one) => ("report" in one ? [one.report] : []));
  const same = reports.filter(({ is_same }) => is_same).length;
  const costs = reports.map(({ cost_microusd }) => cost_microusd);
  return {
    replayed: reports.length,
    same,
    changed: reports.length - same,
    skipped: turns.length - reports.length,
    cost_microusd: costs.includes(null) ? null : costs.reduce<number>((sum, one) => sum + (one ?? 0), 0),
    turns,
  };
}

function wordsOf(one: Checked): string {
  return "report" in one ? describeChanges(one.report) : `skipped: ${one.skipped}`;
}

function render(checked: readonly Checked[], result: CheckResult): string {
  const rows = checked.map((one) => {
    const detail = "report" in one ? [describeRequests(one.report), showCost(one.report.cost_microusd)] : [];
    return [one.message_id, wordsOf(one), ...detail];
  });
  const { same, changed, skipped, cost_microusd: cost } = result;
  const paid = cost === null ? "cost unknown" : `cost ${formatDollars(cost)}`;
  const counts = `${same} same, ${changed} changed, ${skipped} skipped; ${paid}`;
  return `${table(["MESSAGE", "RESULT", "REQUESTS", "COST"], rows)}\n${counts}`;
}

/** A check without a replayed turn proves nothing, so it fails. */
function judge({ replayed, changed, skipped }: CheckResult, { maxChanged }: CheckOptions): void {
  if (replayed === 0) {
    const why = skipped === 0 ? "the agent has no recorded turns" : "none of the turns could be replayed";
    throw new CliError(`nothing was checked: ${why}`);
  }
  if (changed > maxChanged) throw new CliError(`${changed} turns changed; at most ${maxChanged} may change`);
}
