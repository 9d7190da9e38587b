// What the queue board reads: BullMQ's jobs and, as waiting jobs, the turns that are ready in PostgreSQL.

import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import type { Control } from "@dari/control/context";
import { countTurns, findWaitingTurn, listWaitingTurns } from "@dari/control/operations";
import { AppError, isId, limits } from "@dari/domain";
import { describeTrace, type TurnQueue } from "@dari/queue";
import { viewerOrganization, waitsForSlotMessage } from "./board-call.ts";

type Job = NonNullable<Awaited<ReturnType<BullMQAdapter["getJob"]>>>;
type JobStatus = ReturnType<BullMQAdapter["getJobStatuses"]>[number];
type WaitingTurn = Awaited<ReturnType<typeof listWaitingTurns>>[number];

/** The states of a turn job. */
const statuses: readonly JobStatus[] = ["active", "waiting", "completed", "failed", "delayed"] as JobStatus[];
const waiting = statuses[1]!;

export class TurnBoardAdapter extends BullMQAdapter {
  override readonly allowCompletedRetries = false;
  readonly #control: Control;
  readonly #queue: Pick<TurnQueue, "board" | "counts">;

  constructor(control: Control, queue: Pick<TurnQueue, "board" | "counts">) {
    super(queue.board, {
      description: "One job is one turn. Turns that wait for a slot are listed by organization.",
      externalJobUrl: ({ data }) => linkOf(data),
    });
    this.#control = control;
    this.#queue = queue;
  }

  override getJobStatuses(): JobStatus[] {
    return [...statuses];
  }

  override async getJobCounts(): ReturnType<BullMQAdapter["getJobCounts"]> {
    const counts = await countTurns(this.#control.db, this.#queue);
    return Object.fromEntries(statuses.map((status) => [status, counts[status] ?? 0])) as Awaited<
      ReturnType<BullMQAdapter["getJobCounts"]>
    >;
  }

  /** Returns at most `limits.fleetRowsMax` jobs of each state. */
  override async getJobs(asked: JobStatus[], start = 0, end = Infinity): Promise<Job[]> {
    const limit = Math.max(0, Math.min(end - start + 1, limits.fleetRowsMax));
    const inRedis = asked.filter((status) => status !== waiting);
    const jobs = inRedis.length === 0 ? [] : await super.getJobs(inRedis, start, start + limit - 1);
    const turns = asked.includes(waiting) ? await listWaitingTurns(this.#control, { offset: start, limit }) : [];
    return [...jobs.map(readable), ...turns.map(toJob)];
  }

  override async getJob(id: string): Promise<Job | undefined> {
    if (!isId("message", id)) {
      const job = await super.getJob(id);
      return job ? readable(job) : undefined;
    }
    const turn = await findWaitingTurn(this.#control, id);
    return turn && toJob(turn);
  }

  override async getJobLogs(id: string): Promise<string[]> {
    return isId("message", id) ? [] : super.getJobLogs(id);
  }

  /**
   * Turns do not repeat. To find that out, BullMQ would open another connection, and would not reopen it after a
   * failure.
   */
  override getJobSchedulers(): Promise<[]> {
    return Promise.resolve([]);
  }

  override getJobSchedulersCount(): Promise<number> {
    return Promise.resolve(0);
  }
}

/** Shows a job's traces as text. The data in Redis is for workers. */
function readable(job: Job): Job {
  const render = job.toJSON.bind(job);
  job.toJSON = () => {
    const json = render();
    return { ...json, stacktrace: json.stacktrace?.map((trace) => describeTrace(trace)) ?? null };
  };
  return job;
}

/**
 * Returns a turn that is ready in PostgreSQL, as a job with its message's id. Has only what the board uses of a job.
 */
function toJob(turn: WaitingTurn): Job {
  const { organizationId, organization, sessionId, messageId, readyAt } = turn;
  const lane = turn.isBackground ? "background" : "interactive";
  const refuse = (): Promise<never> => Promise.reject(new AppError("conflict", waitsForSlotMessage));
  const job = {
    opts: {},
    promote: refuse,
    remove: refuse,
    retry: refuse,
    getState: () => Promise.resolve(waiting),
    toJSON: () => ({
      id: messageId,
      name: organization,
      progress: 0,
      attemptsMade: turn.attempts,
      timestamp: turn.acceptedAt.getTime(),
      failedReason: "",
      stacktrace: null,
      data: { organizationId, organization, sessionId, messageId, lane, waitsSince: readyAt.toISOString() },
      returnvalue: null,
      opts: {},
    }),
  };
  return job as unknown as Job;
}

/** Links to the message if the viewer is allowed to open it, otherwise to the Fleet page. */
function linkOf(data: unknown): { displayText: string; href: string } {
  const { organizationId, messageId } = (data ?? {}) as { readonly organizationId?: unknown; messageId?: unknown };
  const isOwn = organizationId !== undefined && organizationId === viewerOrganization.getStore();
  return isOwn && typeof messageId === "string" && isId("message", messageId)
    ? { displayText: "Message", href: `/console/messages/${messageId}` }
    : { displayText: "Fleet", href: "/console/fleet" };
}
