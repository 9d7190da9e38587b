// Budgets and limits: what turns can use and have used, what waits for a budget, and what operators have set.

import type { BudgetRecord } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { useAgentNames } from "../../data/agents.ts";
import { countText, durationText, shortId } from "../../data/format.ts";
import { useList, useLoaded } from "../../data/load.ts";
import { ConfirmButton, DialogButton } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { Empty, ErrorNote } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { PlatformStop } from "../../parts/platform-stop.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";
import { Gauge } from "../../parts/tiles.tsx";
import { Bounds } from "./bounds.tsx";
import { BudgetForm } from "./budget-form.tsx";
import { HeldSessions } from "./held-sessions.tsx";

export function BudgetsPage() {
  const { client, isOperator } = useAccount();
  const list = useList("budgets", (page) => client.listBudgets("current", page));
  // One day is enough: stored bytes and held sessions are the same for every range.
  const usage = useLoaded("usage of a day", (signal) => client.getUsage("current", { days: 1 }, { signal }));
  const nameOf = useAgentNames();
  const reload = (): void => {
    list.reload();
    usage.reload();
  };
  const remove = useAction(async (id: string) => {
    await client.deleteBudget(id);
    reload();
  });
  const add = (
    <DialogButton label="Set a budget" tone="primary" title="Set a budget">
      {(close) => <BudgetForm onSaved={reload} onClose={close} />}
    </DialogButton>
  );
  return (
    <Page
      title="Budgets and limits"
      actions={add}
      says="When a budget is used up, messages wait. They continue at once when you raise it."
    >
      {isOperator && <PlatformStop onChanged={reload} />}
      <h2>Budgets</h2>
      <ErrorNote error={remove.error} />
      <Table
        label="Budgets"
        list={list}
        keyOf={({ id }) => id}
        columns={columnsOf(nameOf, isOperator, remove.run)}
        empty={
          <Empty title="No budget is set" command="dari org budgets set --period month --max-turns 10000">
            Turns can use as much as the organization’s limits allow.
          </Empty>
        }
      />
      <h2>Held sessions</h2>
      <ErrorNote error={usage.error} retry={usage.reload} />
      {usage.value && <HeldSessions held={usage.value.held_sessions} nameOf={nameOf} />}
      <h2>Limits</h2>
      {usage.value && <Bounds usage={usage.value} />}
    </Page>
  );
}

/** Only operators can delete a budget that operators set. */
function columnsOf(nameOf: (agentId: string) => string, isOperator: boolean, remove: (id: string) => void) {
  const seconds = (amount: number): string => durationText(amount * 1_000);
  return [
    {
      title: "For",
      cell: ({ scope, target_id: target }: BudgetRecord) => <Target scope={scope} target={target} nameOf={nameOf} />,
    },
    {
      title: "Period",
      cell: ({ period, is_exhausted: isExhausted, set_by: setBy }: BudgetRecord) => (
        <>
          {period === "total" ? "in total" : `each ${period}`} {isExhausted && <Status of="exhausted" />}
          {setBy === "operator" && <div className="faint">set by operators</div>}
        </>
      ),
    },
    {
      title: "Turns",
      cell: ({ turns, max_turns: most }: BudgetRecord) => (
        <Gauge label="Turns used" used={turns} most={most} say={countText} />
      ),
    },
    {
      title: "Turn time",
      cell: ({ turn_seconds: used, max_turn_seconds: most }: BudgetRecord) => (
        <Gauge label="Turn time used" used={used} most={most} say={seconds} />
      ),
    },
    {
      title: "Tokens",
      cell: ({ tokens, max_tokens: most }: BudgetRecord) => (
        <Gauge label="Tokens used" used={tokens} most={most} say={countText} />
      ),
    },
    {
      title: "Delete",
      isAction: true,
      cell: (budget: BudgetRecord) => {
        if (budget.set_by === "operator" && !isOperator) return null;
        const label =
          budget.period === "total" ? "Delete the total budget" : `Delete the budget of each ${budget.period}`;
        return (
          <ConfirmButton
            label="Delete"
            of={label}
            tone="quiet"
            title="Delete this budget?"
            says="Messages that wait for it continue at once."
            verb="Delete it"
            onConfirm={() => remove(budget.id)}
          />
        );
      },
    },
  ];
}

interface TargetProps {
  readonly scope: BudgetRecord["scope"];
  readonly target: string;
  readonly nameOf: (agentId: string) => string;
}

function Target({ scope, target, nameOf }: TargetProps) {
  if (scope === "organization") return <strong>the organization</strong>;
  if (scope === "agent")
    return (
      <Link data-row to={`/agents/${target}`}>
        {nameOf(target)}
      </Link>
    );
  return (
    <Link data-row to={`/sessions/${target}`}>
      {shortId(target)}
    </Link>
  );
}
