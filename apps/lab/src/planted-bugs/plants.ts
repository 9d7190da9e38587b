// The bugs that the tests of the turn functions must find, each as the smallest possible change.

import { losses } from "./losses.ts";
import type { Plant, TestName } from "./plant.ts";

const races = (test: string): TestName => ({ file: "packages/db/tests/steps/races.test.ts", test });
const deaths = (test: string): TestName => ({ file: "packages/db/tests/steps/deaths.test.ts", test });
const workload: TestName = {
  file: "packages/db/tests/steps/workload.test.ts",
  test: "nothing is lost, doubled, out of order or stuck (seed 1)",
};

const functions = "packages/db/functions";
const claimSql = `${functions}/claim.sql`;
const finishSql = `${functions}/finish.sql`;
const dispatchSql = `${functions}/dispatch.sql`;
const lanesSql = `${functions}/lanes.sql`;

const fences: readonly Plant[] = [
  {
    name: "no fence comparison",
    says: "a worker that was given up writes for the one that took over",
    edits: [
      {
        file: claimSql,
        sqlFunction: "is_held",
        find: "and s.fence = p_fence and s.claim_token = p_token",
        replace: "",
      },
    ],
    caughtBy: races("a claim that was lost finishes nothing"),
    isSmoke: true,
  },
  {
    name: "no fence comparison, under load",
    says: "the same, found from outside on a busy system",
    edits: [
      {
        file: claimSql,
        sqlFunction: "is_held",
        find: "and s.fence = p_fence and s.claim_token = p_token",
        replace: "",
      },
    ],
    caughtBy: workload,
  },
  {
    name: "token not compared",
    says: "a fence that a crash or a failover gave twice is taken for the other's",
    edits: [{ file: claimSql, sqlFunction: "is_held", find: "and s.claim_token = p_token", replace: "" }],
    caughtBy: races("a claim that was lost finishes nothing, not even with the heir's fence"),
  },
  {
    name: "renewal without the fence",
    says: "a worker that was given up keeps another's lease alive",
    edits: [
      {
        file: claimSql,
        sqlFunction: "renew_leases",
        find: "and s.fence = w.f and s.claim_token = w.t",
        replace: "and s.schedule = 'leased'",
      },
    ],
    caughtBy: races("a claim that was lost renews nothing: the heir's lease stays as it was"),
    isSmoke: true,
  },
  {
    name: "asynchronous commit on claim",
    says: "after a crash the same fence is given again",
    edits: [
      {
        file: claimSql,
        sqlFunction: "claim_locked_session",
        find: "begin",
        replace: "begin\n  perform set_config('synchronous_commit', 'off', true);",
      },
    ],
    caughtBy: {
      file: "packages/db/tests/steps/crash.test.ts",
      test: "a claim that was answered survives: the next one has another fence and another token",
    },
    isSmoke: true,
  },
  {
    name: "asynchronous commit on accept",
    says: "after a crash a message is gone that was acknowledged",
    edits: [
      {
        file: `${functions}/accept.sql`,
        sqlFunction: "accept_message",
        find: "begin",
        replace: "begin\n  perform set_config('synchronous_commit', 'off', true);",
      },
    ],
    caughtBy: {
      file: "packages/db/tests/steps/crash.test.ts",
      test: "an accept, a finish and a cancel that were answered survive",
    },
  },
];

const locks: readonly Plant[] = [
  {
    name: "accept without the row lock",
    says: "two messages get one number, or a session sleeps with a message",
    edits: [
      {
        file: `${functions}/accept.sql`,
        sqlFunction: "accept_message",
        find: "and deleted_at is null for no key update;",
        replace: "and deleted_at is null;",
      },
    ],
    caughtBy: races("two accepts the second waits and gets the number that is free, after a commit"),
    isSmoke: true,
  },
  {
    name: "one-statement claim",
    says: "the head is read as it was before the lock, so a cancelled message runs",
    edits: [
      {
        file: claimSql,
        sqlFunction: "claim_turn",
        find: "select * into s from sessions where id = p_session for no key update;",
        replace: `perform set_config('dari.head', (select id from messages where session_id = p_session
            and completed_at is null order by sequence_number limit 1), true);
          select * into s from sessions where id = p_session for no key update;`,
      },
      {
        file: claimSql,
        sqlFunction: "claim_locked_session",
        find: "select * into m from messages where session_id = p_session and completed_at is null",
        replace: "select * into m from messages where id = current_setting('dari.head')",
      },
      { file: claimSql, sqlFunction: "claim_locked_session", find: "or m.state <> 'queued'", replace: "" },
    ],
    caughtBy: races("a claim reads the head after the lock: a cancel that it waited for is seen"),
    isSmoke: true,
  },
  {
    name: "dispatch without its state guard",
    says: "two dispatchers move one session, and the first job is stale",
    edits: [
      {
        file: lanesSql,
        sqlFunction: "dispatch_sessions",
        find: "for no key update skip locked",
        replace: "",
      },
    ],
    caughtBy: races("two dispatchers never both move a session: commit"),
    isSmoke: true,
  },
  {
    name: "max_concurrency counted while another dispatcher runs",
    says: "two dispatchers both take the last free turn of a batch's max_concurrency",
    edits: [
      {
        file: lanesSql,
        sqlFunction: "dispatch_sessions",
        find: "continue when v_is_watched and not may_count_turns(p_organizations[i]);",
        replace: "",
      },
    ],
    caughtBy: {
      file: "packages/db/tests/lanes.test.ts",
      test: "two concurrent dispatches begin no more turns than a max_concurrency allows",
    },
  },
  {
    name: "a failed delivery given back unseen",
    says: "a session goes back to ready under the worker that has claimed it",
    edits: [
      {
        file: dispatchSql,
        sqlFunction: "undispatch_sessions",
        find: "and s.dispatch_number = w.n and s.schedule = 'dispatched'",
        replace: "",
      },
    ],
    caughtBy: races(
      "two dispatchers a process that releases its dispatch touches neither a claim nor a later dispatch",
    ),
  },
  {
    name: "cancel without the row lock",
    says: "a message is cancelled by what it was before a claim",
    edits: [
      {
        file: `${functions}/cancel.sql`,
        sqlFunction: "cancel_message",
        find: `select * into s from sessions where id = session_id for no key update;
          select * into m from messages where id = p_message for no key update;`,
        replace: `select * into s from sessions where id = session_id;
          select * into m from messages where id = p_message;`,
      },
    ],
    caughtBy: races("a claim cancelled during the claim ends by the cancel, and is not lost"),
  },
  {
    name: "claim without the dispatch's number",
    says: "a job that was given back still claims",
    edits: [
      { file: claimSql, sqlFunction: "claim_turn", find: "or s.dispatch_number <> p_dispatch_number", replace: "" },
    ],
    caughtBy: races("a claim by a job of an older dispatch is stale"),
  },
  {
    name: "a late job claims a ready session",
    says: "a job that comes twice runs the session's next turn past the dispatcher; the guard of edges refuses it",
    edits: [
      { file: claimSql, sqlFunction: "claim_turn", find: "<> 'dispatched'", replace: "not in ('dispatched', 'ready')" },
    ],
    caughtBy: workload,
  },
  {
    name: "no idempotency lock",
    says: "equal calls at the same time each make their own",
    edits: [
      {
        file: "packages/db/migrations/0001_schema.sql",
        find: "primary key (organization_id, method, path, key)",
        replace: "check (true)",
      },
    ],
    caughtBy: races("an idempotency key is taken once; the second caller waits to learn the result: commit"),
    isSmoke: true,
  },
  {
    name: "idempotency key in a commit of its own",
    says: "a death between the two leaves a key without its message, and the repeated call never makes it",
    edits: [
      {
        file: "packages/control/src/context/idempotency/with-idempotency-key.ts",
        find: "return inOneTransaction(control, async (inside)",
        replace: "return ((work: (inside: Control) => Promise<Creation<Made>>) => work(control))(async (inside)",
      },
      {
        file: "packages/control/src/context/idempotency/with-idempotency-key.ts",
        find: 'import { inOneTransaction } from "../in-one-transaction.ts";',
        replace: "",
      },
    ],
    caughtBy: {
      file: "apps/api/tests/idempotency.test.ts",
      test: "a connection that breaks leaves neither key nor message, and the call can be repeated",
    },
  },
  {
    name: "told before the commit",
    says: "a client hears of a message that it cannot read yet",
    edits: [
      {
        file: "packages/control/src/context/in-one-transaction.ts",
        find: "notify: (topic, id) => void wakes.push([topic, id]),",
        replace: "notify: (topic, id) => notifier.notify(topic, id),",
      },
    ],
    caughtBy: {
      file: "packages/control/tests/context/idempotently.test.ts",
      test: "word goes out after the commit, turns last",
    },
  },
];

const endings: readonly Plant[] = [
  {
    name: "no reaper",
    says: "the turn of a worker that died stays open for ever",
    edits: [
      {
        file: `${functions}/reap.sql`,
        sqlFunction: "reap_sessions",
        find: "schedule in ('dispatched', 'leased') and lease_until < clock_timestamp()",
        replace: "schedule in ('dispatched', 'leased') and lease_until < clock_timestamp() and false",
      },
    ],
    caughtBy: workload,
    isSmoke: true,
  },
  {
    name: "finish outside the transaction",
    says: "a death between its two commits leaves an ended message in a leased session",
    edits: [
      {
        file: finishSql,
        sqlFunction: "end_attempt",
        find: "update sessions set pending = v_pending,",
        replace: `return v_pending > 0;
end $$;

create or replace function leave_session(p_session text, p_ending text, p_snapshot text, p_wait_ms int)
returns boolean language plpgsql as $$
declare
  s sessions%rowtype;
  m messages%rowtype;
  v_terminal boolean := p_ending in ('completed', 'failed', 'cancelled');
  v_pending int;
  v_events int;
  v_schedule text;
begin
  select * into s from sessions where id = p_session;
  select x.* into m from messages x join attempts a on a.message_id = x.id
    where a.session_id = s.id and a.fence = s.fence;
  v_pending := s.pending - v_terminal::int;
  v_schedule := case when v_pending = 0 then 'idle' when p_ending = 'retry' then 'retry_wait' else 'ready' end;
  select max(sequence_number) + 1 - s.next_event_number into v_events from events where session_id = p_session;
  update sessions set pending = v_pending,`,
      },
      {
        file: "packages/db/src/queries/turns/finish-turn.ts",
        find: "return result.rows[0];",
        replace: `const row = result.rows[0];
  const head = row?.recorded === "completed" ? (input.snapshot?.id ?? null) : null;
  if (row !== undefined && !row.again) {
    await sql\`select leave_session(\${claim.sessionId}, \${row.recorded}, \${head}, \${input.waitMs ?? 0})\`
      .execute(db.kysely);
  }
  return row;`,
      },
    ],
    caughtBy: deaths("finish as completed a death before it writes sessions leaves nothing of it"),
    isSmoke: true,
  },
  {
    name: "retry without backoff",
    says: "an agent that fails is called again at once",
    edits: [
      {
        file: finishSql,
        sqlFunction: "end_attempt",
        find: "clock_timestamp() + coalesce(p_wait_ms, 0) * interval '1 millisecond'",
        replace: "clock_timestamp()",
      },
    ],
    caughtBy: races("endings a retry waits its time, for its job, for a pull, and for the reaper"),
    isSmoke: true,
  },
  {
    name: "a reaper that does not see the call",
    says: "a turn that kills its worker in the moment of its call has one attempt too many",
    edits: [
      {
        file: finishSql,
        sqlFunction: "with_call",
        find: "and fence = p_fence for no key update;",
        replace: "and fence = p_fence;",
      },
    ],
    caughtBy: races("endings a call that the reaper waited for counts"),
  },
  {
    name: "a rollback that loses to the finish",
    says: "work that was taken back stays in the session",
    edits: [
      {
        file: finishSql,
        sqlFunction: "finish_turn",
        find: "if m.rolled_back_by is not null then v_ending := 'cancelled'; elsif",
        replace: "if",
      },
    ],
    caughtBy: races("endings a rollback that the finish waited for takes effect"),
  },
  {
    name: "a cancel that loses to a retry",
    says: "a cancelled message runs again",
    edits: [
      {
        file: finishSql,
        sqlFunction: "finish_turn",
        find: `elsif v_ending in ('failed', 'retry', 'released', 'suspended') and m.cancel_requested_at is not null
          then v_ending := 'cancelled';`,
        replace: "",
      },
    ],
    caughtBy: races("endings a cancel that the finish waited for ends a retry"),
  },
];

export const plants: readonly Plant[] = [...fences, ...locks, ...endings, ...losses];

/** A plain turn. It must pass with every bug; otherwise the bug only breaks everything. */
export const plainTurn: TestName = {
  file: "packages/db/tests/turns.test.ts",
  test: "a turn that completes moves message, session, head and ledger together",
};
