// What waits for a person: inputs of agents, failed messages, and sessions that a budget or operators hold back.

import type { OverviewRecord } from "@dari/contract";
import { limits } from "@dari/domain";
import { useAccount } from "../../data/account.ts";
import { Link } from "../../parts/link.tsx";
import { Items } from "./items.tsx";

const reasons = { budget: "a budget is used up", paused: "operators have stopped all turns" } as const;

export function Attention({ overview: { inputs, failed, held } }: { readonly overview: OverviewRecord }) {
  const { isAdmin } = useAccount();
  const countMax = limits.overviewCountMax;
  return (
    <div className="column">
      <h2>Needs attention</h2>
      {inputs.count + failed.count + held.count === 0 && (
        <p className="faint">Nothing: no agent waits for an answer, and no message failed or is held back.</p>
      )}
      <Items
        title="Waiting for an answer"
        count={inputs.count}
        countMax={countMax}
        items={inputs.rows.map((row) => ({
          ...{ key: row.message_id, to: `/sessions/${row.session_id}`, place: row, since: row.requested_at },
          about: row.prompt ?? row.key,
        }))}
      />
      <Items
        title="Failed"
        count={failed.count}
        countMax={countMax}
        all={isAdmin && <Link to="/failed">Retry</Link>}
        items={failed.rows.map((row) => ({
          ...{ key: row.message_id, to: `/messages/${row.message_id}`, place: row, since: row.failed_at },
          about: (
            <>
              <code>{row.code}</code> {row.error}
            </>
          ),
        }))}
      />
      <Items
        title="Held back"
        count={held.count}
        countMax={countMax}
        all={isAdmin && <Link to="/budgets">Budgets</Link>}
        items={held.rows.map((row) => ({
          ...{ key: row.session_id, to: `/sessions/${row.session_id}`, place: row, since: row.since },
          about: reasons[row.reason],
        }))}
      />
    </div>
  );
}
