// All agents of the organization, with what they did lately.

import type { AgentRecord, UsageRecord } from "@dari/contract";
import { useAccount } from "../data/account.ts";
import { countText, shortId } from "../data/format.ts";
import { useList, useLive, useLoaded } from "../data/load.ts";
import { Link } from "../parts/link.tsx";
import { NoAgents } from "../parts/no-agents.tsx";
import { ErrorNote } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

/** Pause between two answers while the page is visible, in milliseconds. */
const updateEveryMs = 3_000;
/** How many days the figures cover. */
const days = 7;

/** The figures are sums over all messages of these days. */
const figuresEveryMs = 30_000;

type AgentUse = UsageRecord["agents"][number];

export function AgentsPage() {
  const { client } = useAccount();
  const list = useList("agents", (page) => client.listAgents(page));
  useLive(updateEveryMs, list);
  const usage = useLoaded("usage by agent", (signal) => client.getUsage("current", { days }, { signal }), {
    againAfterMs: () => figuresEveryMs,
  });
  const used = new Map(usage.value?.agents.map((agent) => [agent.agent_id, agent]));
  return (
    <Page title="Agents" says={`Messages, failures and tokens are those of the last ${days} days.`}>
      {/* If the list failed too, its error is enough. */}
      {list.error === undefined && <ErrorNote error={usage.error} retry={usage.reload} />}
      <Table
        label="Agents"
        list={list}
        keyOf={({ id }) => id}
        columns={columnsOf((id) => used.get(id))}
        empty={<NoAgents />}
      />
    </Page>
  );
}

function columnsOf(useOf: (agentId: string) => AgentUse | undefined) {
  const figure = (title: string, name: "messages" | "failed" | "tokens") => ({
    title,
    isNumber: true,
    isMinor: name === "tokens",
    cell({ id }: AgentRecord) {
      // The busiest agents are counted, so an unknown figure is not always 0.
      const count = useOf(id)?.[name];
      if (count === undefined || count === 0) return count;
      return <span className={name === "failed" ? "bad" : undefined}>{countText(count)}</span>;
    },
  });
  return [
    {
      title: "Name",
      cell: ({ id, name }: AgentRecord) => (
        <Link data-row className="clip" to={`/agents/${id}`} title={name}>
          {name}
        </Link>
      ),
    },
    {
      title: "Active version",
      cell: ({ id, active_version_id: version }: AgentRecord) =>
        version === null ? (
          <em>none yet</em>
        ) : (
          <Link className="id" to={`/agents/${id}/versions/${version}`} title={version}>
            <code>{shortId(version)}</code>
          </Link>
        ),
      isMinor: true,
    },
    figure("Messages", "messages"),
    figure("Failed", "failed"),
    figure("Tokens", "tokens"),
    {
      title: "Created",
      cell: ({ created_at: time }: AgentRecord) => <Ago time={time} />,
      isMinor: true,
    },
  ];
}
