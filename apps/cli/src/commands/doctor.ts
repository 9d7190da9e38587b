// `dari doctor`: finds faults of the platform and says what to do. An operator's key also gets the platform's internal
// checks.

import { ApiError, ConnectionError, type Client, type Probe } from "@dari/client";
import type { HealthCheck } from "@dari/contract";
import { dariRelease } from "@dari/contract/vocabulary";
import type { Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { CliError, invalid } from "../exit.ts";
import type { Killer, KillOptions } from "../kill-test/killer.ts";
import { table } from "../output.ts";

/** The reply's clock has whole seconds. Signed URLs and expiry times tolerate more than this. */
const skewMsMax = 5_000;
const problemsShownMax = 50;

interface DoctorOptions extends KillOptions {
  readonly store?: true;
  readonly deep?: true;
  readonly killTest?: true;
  readonly turns?: string;
}

/** Maximum number of concurrent turns in a kill test. Each has its own session. */
const turnsMax = 200;
/** The number of turns if the key is not an operator's, which alone can see the number of slots. */
const turnsUnknown = 16;

export function addDoctorCommand(program: Command, io: Io): void {
  program
    .command("doctor")
    .description("check the platform; an operator's key allows more checks")
    .option("--store", "check that every stored object exists and has its length (for operators)")
    .option("--deep", "with --store: also read every byte of the snapshots")
    .option("--kill-test", "kill a worker during turns of a temporary agent and check that none is lost")
    .option("--pid <id>", "with --kill-test: process id of the worker to kill, on this machine")
    .option("--kill-command <command>", "with --kill-test: command that kills a worker, instead of --pid")
    .option("--turns <n>", `with --kill-test: concurrent turns (default: one per slot, or ${turnsUnknown})`)
    .action(async (options: DoctorOptions, command: Command) => {
      const { output, connection, client, signal } = createContext(io, command);
      if (options.killTest === undefined) refuseKillOptions(options);
      const kill = options.killTest === true ? await chooseKiller(options) : undefined;
      const asked = readTurns(options.turns);
      const { apiUrl, apiKey } = await connection();
      const api = await client();
      const checks = await examine(api, apiUrl, apiKey !== undefined, signal);
      if (options.store === true) checks.push(await checkStore(api, options.deep === true, output.progress, signal));
      if (kill !== undefined) {
        const { runKillTest } = await import("../kill-test/kill-test.ts");
        const turns = asked ?? (await slotsOf(api, signal));
        checks.push(
          await runKillTest({
            client: api,
            environment: io.environment,
            signal,
            kill,
            turns,
            progress: output.progress,
          }),
        );
      }
      const faults = checks.filter((check) => !check.ok);
      output.result({ ok: faults.length === 0, api_url: apiUrl, checks }, () => render(checks));
      if (faults.length > 0) throw new CliError(`${faults.length} of ${checks.length} checks found a problem`);
    });
}

async function chooseKiller(options: KillOptions): Promise<Killer> {
  // Imported here, so that other commands start without it.
  const killer = await import("../kill-test/killer.ts");
  return killer.chooseKiller(options);
}

async function examine(api: Client, apiUrl: string, hasKey: boolean, signal: AbortSignal): Promise<HealthCheck[]> {
  const probe = await probeApi(api, apiUrl, signal);
  if (probe.seen === undefined) return [probe.check];
  const outside = [probe.check, checkRelease(probe.seen), checkClock(probe.seen)];
  if (!hasKey) return [...outside, fault("key", "no key is set", "set DARI_API_KEY, or run `dari login`")];
  return [...outside, ...(await checkWithKey(api, signal))];
}

async function probeApi(
  api: Client,
  apiUrl: string,
  signal: AbortSignal,
): Promise<{ check: HealthCheck; seen?: Probe }> {
  try {
    const seen = await api.probe({ signal });
    return { check: fine("api", `${apiUrl} answers after ${Math.round(seen.roundTripMs)} ms`), seen };
  } catch (error) {
    if (signal.aborted) throw error;
    const whatToDo = "check the address, that the platform is running, and any proxy or firewall";
    return { check: fault("api", error instanceof Error ? error.message : String(error), whatToDo) };
  }
}

function checkRelease(seen: Probe): HealthCheck {
  if (seen.release === dariRelease) return fine("release", dariRelease);
  const { release } = seen;
  const own = `this \`dari\` command is release ${dariRelease}`;
  if (release === undefined) {
    return fault("release", `the platform did not report its release, ${own}`, "install the platform's release of it");
  }
  return fault("release", `the platform runs release ${release}, ${own}`, `install \`dari\` of release ${release}`);
}

function checkClock({ serverTime, roundTripMs }: Probe): HealthCheck {
  if (serverTime === undefined) return fine("clock", "not checked: the platform sent no time");
  // The reply was written at some time within the round trip. Its clock shows the start of the second.
  const middle = Date.now() - roundTripMs / 2;
  const skewMs = middle - (serverTime.getTime() + 500);
  const found = `${(Math.abs(skewMs) / 1_000).toFixed(1)} s apart`;
  if (Math.abs(skewMs) <= skewMsMax + roundTripMs / 2) return fine("clock", found);
  return fault("clock", found, "synchronize the clocks of both machines with NTP");
}

async function checkWithKey(api: Client, signal: AbortSignal): Promise<HealthCheck[]> {
  try {
    const { name, is_operator } = await api.getOrganization("current", { signal });
    const key = fine("key", `valid, for the organization ${name}${is_operator ? " (operator)" : ""}`);
    if (!is_operator) return [key];
    return [key, ...(await api.getOperatorHealth({ signal })).checks];
  } catch (error) {
    if (error instanceof ApiError && error.code === "forbidden") {
      return [fine("key", "valid, but not an operator's admin key")];
    }
    if (error instanceof ApiError && error.code === "unauthenticated") {
      return [fault("key", error.detail, "set DARI_API_KEY, or run `dari login`")];
    }
    if (signal.aborted || !(error instanceof ApiError || error instanceof ConnectionError)) throw error;
    return [fault("platform", error.message, "check the API's log")];
  }
}

/** Checks the whole store, whatever its size, and lists the first problems. */
async function checkStore(
  api: Client,
  deep: boolean,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<HealthCheck> {
  const problems: string[] = [];
  let [checked, found] = [0, 0];
  try {
    for (let after: string | undefined = ""; after !== undefined;) {
      const step = await api.checkStore({ ...(after === "" ? {} : { after }), deep }, { signal });
      checked += step.checked;
      found += step.problems.length;
      for (const { what, key, problem, detail } of step.problems) {
        if (problems.length < problemsShownMax) problems.push(`${what} ${key} is ${problem}: ${detail}`);
      }
      after = step.next ?? undefined;
      if (after !== undefined) progress(`${checked} objects checked, ${found} problems`);
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof ApiError || error instanceof ConnectionError)) throw error;
    return fault("store", error.message, "use an operator's admin key, and check the API's log");
  }
  if (found === 0) return fine("store", `${checked} objects exist${deep ? " and are intact" : ""}`);
  const what = [`${found} of ${checked} objects are missing or damaged`, ...problems].join("\n  ");
  return fault(
    "store",
    what,
    "restore them from a backup of the object store; sessions continue from intact snapshots",
  );
}

function refuseKillOptions({ pid, killCommand, turns }: DoctorOptions): void {
  const given = Object.entries({ "--pid": pid, "--kill-command": killCommand, "--turns": turns });
  const [alone] = given.find(([, value]) => value !== undefined) ?? [];
  if (alone !== undefined) throw invalid(`${alone} requires --kill-test`);
}

function readTurns(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const turns = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (turns < 1 || turns > turnsMax) throw invalid(`--turns expects a whole number from 1 to ${turnsMax}, not ${text}`);
  return turns;
}

/** Returns the number of slots of all workers, so that each worker runs turns. */
async function slotsOf(api: Client, signal: AbortSignal): Promise<number> {
  try {
    const { workers } = await api.getOperatorHealth({ signal });
    const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
    return Math.min(turnsMax, Math.max(1, slots));
  } catch (error) {
    if (error instanceof ApiError && error.code === "forbidden") return turnsUnknown;
    throw error;
  }
}

function fine(name: string, found: string): HealthCheck {
  return { name, ok: true, found, what_to_do: null };
}

function fault(name: string, found: string, whatToDo: string): HealthCheck {
  return { name, ok: false, found, what_to_do: whatToDo };
}

function render(checks: readonly HealthCheck[]): string {
  const rows = checks.map((check) => [check.name, check.ok ? "ok" : "PROBLEM", check.found]);
  const advice = checks.flatMap(({ ok, name, what_to_do }) =>
    ok || what_to_do === null ? [] : [`${name}: ${what_to_do}`],
  );
  const lines = table(["CHECK", "STATE", "FOUND"], rows);
  return advice.length === 0 ? lines : `${lines}\n\nWhat to do:\n${advice.map((line) => `- ${line}`).join("\n")}`;
}
