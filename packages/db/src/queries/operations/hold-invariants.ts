// Invariants about what budgets, batches and the operators' stop hold back and let begin. See `invariants.ts`.

import type { Invariant } from "./invariant.ts";

/** The budgets that apply to a session `s`. (unique index of budgets) */
const budgetsOfSession = `b.organization_id = s.organization_id
        and b.target_id in (s.organization_id, s.agent_id, s.id)`;

/** Returns a budget's usage in its current period. */
function used(column: "turns" | "turn_seconds" | "tokens"): string {
  return `case when b.period_started_at < period_start(b.period) then 0 else b.${column} end`;
}

/**
 * Tables with the prefix `dari.` are read completely, even if only some sessions are checked. The two minutes allow for
 * `release-held`, which runs every two seconds.
 */
export const holdInvariants: readonly Invariant[] = [
  {
    name: "held_session_is_held",
    says: "a session that was held back continues within two minutes after nothing holds it",
    reads: "sessions that are held, with their budgets by index, and the organization's newest audit entries",
    query: `select s.id from sessions s
      where s.blocked_reason in ('budget', 'paused')
        and not exists (select 1 from dari.platform_stops)
        and not exists (select 1 from dari.budgets b where ${budgetsOfSession} and (is_over(b)
          or greatest(b.changed_at, b.last_end_at, period_start(b.period)) > clock_timestamp() - interval '2 minutes'))
        -- A turn that is no longer running leaves room, which it is about to take again.
        and not exists (select 1 from dari.sessions x
          where x.organization_id = s.organization_id and x.schedule = 'ready')
        and not exists (select 1 from dari.sessions x
          where x.organization_id = s.organization_id and x.schedule = 'dispatched')
        and not exists (select 1 from dari.audit_entries a where a.organization_id = s.organization_id
          and a.created_at > clock_timestamp() - interval '2 minutes' and a.action = 'budget.delete')
        and not exists (select 1 from dari.organizations o join dari.audit_entries a on a.organization_id = o.id
          where o.is_operator and a.created_at > clock_timestamp() - interval '2 minutes'
            and a.action = 'platform.resume')`,
  },
  {
    name: "turns_begin_within_budgets",
    says: "no turn begins a minute after a budget of its was used up, and none beyond a budget's number of turns",
    reads: "sessions that run, with their budgets by index",
    query: `select s.id from sessions s join attempts a on a.session_id = s.id and a.fence = s.fence
        join dari.budgets b on ${budgetsOfSession}
      where s.schedule = 'leased'
        and (b.max_turns <= ${used("turns")} or b.max_turn_seconds <= ${used("turn_seconds")}
          or b.max_tokens <= ${used("tokens")})
        and a.claimed_at > greatest(b.changed_at, b.last_end_at) + interval '1 minute'
      union all select b.id from sessions s join attempts a on a.session_id = s.id and a.fence = s.fence
        join dari.budgets b on ${budgetsOfSession}
      where s.schedule = 'leased' and b.max_turns is not null
      group by b.id
      having min(a.claimed_at) > b.changed_at + interval '1 minute' and ${used("turns")} + count(*) > b.max_turns`,
  },
  {
    name: "batch_within_max_concurrency",
    says: "a batch has at most max_concurrency concurrent turns",
    reads: "sessions in flight, by index, with their batches",
    query: `select b.id from sessions s join dari.session_batches b on b.id = s.batch_id
      where s.schedule in ('dispatched', 'leased') group by b.id having count(*) > b.max_concurrency`,
  },
];
