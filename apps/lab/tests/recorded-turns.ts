// Turns of counting agents whose workers are killed: what each asked the model, and how soon it went on.

import type { MessageRecord } from "@dari/contract";
import { waitUntil } from "@dari/testkit";
import { ended, post, textOf } from "../src/conversation.ts";
import { startFleet, type Fleet, type FleetOptions } from "../src/fleet.ts";
import { requestsOfTurn as total, type CountingModel } from "../src/counting-model.ts";

/** Starts a fleet whose agents can ask the model. */
export async function startCountingFleet(model: CountingModel, options: FleetOptions): Promise<Fleet> {
  const fleet = await startFleet({ ...options, env: { ...model.env, ...options.env } });
  await fleet.client.putCredential("OPENAI_API_KEY", { value: "sk-1234567890", hosts: [model.openai] });
  await fleet.client.putCredential("ANTHROPIC_API_KEY", { value: "sk-ant-1234567890", hosts: [model.anthropic] });
  return fleet;
}

export async function countRows({ db }: Fleet, table: string, session: string): Promise<number> {
  const sql = `select count(*)::int as n from ${table} where session_id = $1`;
  return (await db.pool.query<{ n: number }>(sql, [session])).rows[0]?.n ?? -1;
}

export async function killWorkers(fleet: Fleet): Promise<void> {
  for (const worker of fleet.workers) if (worker.isRunning) await worker.kill();
  await fleet.startWorker();
}

export interface SentTurn {
  readonly name: string;
  readonly session: string;
  readonly record: MessageRecord;
}

export async function begin(fleet: Fleet, agentId: string, name: string): Promise<SentTurn> {
  const { id: session } = await fleet.client.createSession(agentId);
  return { name, session, record: await post(fleet, session, name) };
}

/** Returns what a turn has cost. A machine that is busy can lose a lease without a kill. */
export async function costOf(fleet: Fleet, model: CountingModel, { name: turn, session, record }: SentTurn) {
  const { data } = await fleet.client.listModelRequests(record.id, { limit: 100 });
  const { data: events } = await fleet.client.listEvents(session, { limit: 200 });
  const ends = events.flatMap((event) => (event.type === "attempt.ended" ? [event.data.outcome] : []));
  const lost = ends.filter((outcome) => outcome !== "completed").length;
  const asked = model.asked(turn);
  const recorded = data.filter((each) => each.is_recorded).length;
  return { turn, lost, asked, recorded, isFew: asked <= total + lost };
}

/** Returns the answer and the files of a turn, without its name. */
export async function resultOf(fleet: Fleet, { name, session, record }: SentTurn) {
  const done = await ended(fleet, record.id, 180_000);
  if (done.status !== "completed") {
    throw new Error(`${JSON.stringify(done.output?.error)}\n${await fleet.client.getMessageLogs(record.id)}`);
  }
  const text = textOf(done).replaceAll(name, "NAME");
  const files: Record<string, string> = {};
  for (const { path } of done.files_changed ?? []) {
    const url = `${fleet.apiUrl}/v1/sessions/${session}/files/content?${new URLSearchParams({ path })}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${fleet.apiKey}` } });
    files[path] = (await answer.text()).replaceAll(name, "NAME");
  }
  return { text, files };
}

/** Returns what differs between requests of the turn with the same position in its conversation. */
export function differencesOf(model: CountingModel, turn: string): string[] {
  const first = new Map<number, string>();
  return model.requests(turn).flatMap(({ number, text }) => {
    const known = first.get(number);
    if (known === undefined) first.set(number, text);
    return known === undefined ? [] : [`${number}: ${differenceOf(known, text)}`];
  });
}

function differenceOf(one: string, other: string): string {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  if (at === one.length && at === other.length) return "equal";
  const around = (text: string): string => text.slice(Math.max(0, at - 160), at + 160);
  return `\n- ${around(one)}\n+ ${around(other)}`;
}

export interface Resumption {
  /** The position of the first request that went to the model again. */
  readonly number: number;
  /** From the first request of the attempt that was killed to this one, in milliseconds. */
  readonly first: number;
  /** The same for the attempt after it, with recorded answers. */
  readonly again: number;
}

/** Returns how long a turn that lost one worker took to come where it was. Undefined if nothing was recorded. */
export async function resumptionOf(
  fleet: Fleet,
  model: CountingModel,
  { name, record }: SentTurn,
): Promise<Resumption | undefined> {
  const { data } = await fleet.client.listModelRequests(record.id, { limit: 100 });
  const replayed = data.find((each) => each.is_recorded);
  if (replayed === undefined) return undefined;
  const began = Date.parse(replayed.created_at);
  const requests = model.requests(name);
  const live = requests.find(({ at }) => at >= began);
  // What was not answered before is asked for the first time.
  const before =
    requests.find(({ at, number }) => at < began && number === live?.number) ??
    requests.findLast(({ at }) => at < began);
  if (live === undefined || before === undefined) return undefined;
  return { number: live.number, first: before.at - requests[0]!.at, again: live.at - began };
}

/** Waits until each of these turns is held. */
export async function untilHeld(held: readonly { readonly reached: Promise<void> }[]): Promise<void> {
  let count = 0;
  for (const { reached } of held) void reached.then(() => (count += 1));
  await waitUntil(() => count === held.length, { what: `${held.length} turns that are held`, timeoutMs: 180_000 });
}

/** Waits until the turn has stored this many answers, and those beside the conversation. */
export async function untilStored(
  fleet: Fleet,
  model: CountingModel,
  { name, session }: SentTurn,
  answers: number,
): Promise<void> {
  await waitUntil(async () => (await countRows(fleet, "recorded_answers", session)) === answers + model.aside(name), {
    what: `${answers} answers of ${name}`,
    timeoutMs: 60_000,
  });
}
