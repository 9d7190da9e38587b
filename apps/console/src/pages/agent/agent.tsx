// One agent: how its messages went, its versions, its schedules, and the credentials that it needs.

import type { AgentUsage, ScheduleRecord, VersionRecord } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { datesOf } from "../../data/chart.ts";
import { countText, durationText } from "../../data/format.ts";
import { useList, useLive, useLoaded } from "../../data/load.ts";
import { goTo } from "../../data/route.ts";
import { Id } from "../../parts/copyable.tsx";
import { Days } from "../../parts/days.tsx";
import { Head } from "../../parts/head.tsx";
import { Link } from "../../parts/link.tsx";
import { Empty, ErrorNote } from "../../parts/notes.tsx";
import { Page, Pending } from "../../parts/page.tsx";
import { Status } from "../../parts/status.tsx";
import { Table } from "../../parts/table.tsx";
import { Tile, Tiles } from "../../parts/tiles.tsx";
import { Ago } from "../../parts/time.tsx";
import { Needs } from "./needs.tsx";

const above = { to: "/agents", label: "Agents" };
/** How many days the figures cover. */
const days = 7;
/** Pause between two answers while the page is visible, in milliseconds. */
const updateEveryMs = 3_000;

/** `agentId`: an id or a name, as the address has it. */
export function AgentPage({ agentId }: { readonly agentId: string }) {
  const { client } = useAccount();
  const agent = useLoaded(agentId, (signal) => client.getAgent(agentId, { signal }));
  const versions = useList(`versions of ${agentId}`, (page) => client.listVersions(agentId, page));
  useLive(updateEveryMs, versions);
  const start = useAction(async () => goTo(`/sessions/${(await client.createSession(agentId)).id}`));
  const activate = useAction(async (version: string) => {
    await client.activateVersion(agentId, { version_id: version });
    versions.reload();
  });
  if (agent.value === undefined) return <Pending of={agent} title="Agent" above={above} />;
  const active = versions.rows?.find((version) => version.active);
  return (
    <Page
      title={agent.value.name}
      above={above}
      actions={
        <>
          <Link className="button" to={`/sessions?agent_id=${agent.value.id}`}>
            Sessions
          </Link>
          <button type="button" className="primary" onClick={start.run} disabled={start.isRunning}>
            New session
          </button>
        </>
      }
    >
      <p>
        <Id of={agent.value.id} />
      </p>
      <ErrorNote error={start.error ?? activate.error} />
      {active && <Needs version={active} />}
      <Health agentId={agentId} />
      <h2>Versions</h2>
      <Table
        label="Versions"
        list={versions}
        keyOf={({ id }) => id}
        columns={columnsOf(activate.run)}
        empty={<Empty title="No versions" command="dari deploy ." />}
      />
      <Schedules agentId={agentId} />
    </Page>
  );
}

function Health({ agentId }: { readonly agentId: string }) {
  const { client } = useAccount();
  const { value, error, reload } = useLoaded(`usage of ${agentId}`, (signal) =>
    client.getAgentUsage(agentId, { days }, { signal }),
  );
  if (value === undefined) return <ErrorNote error={error} retry={reload} />;
  const { messages, failed, turns, tokens, p95_seconds: p95, p50_seconds: p50 } = value;
  if (messages === 0) return <p className="faint">No messages in the last {days} days.</p>;
  return (
    <>
      <h2>Last {days} days</h2>
      <Tiles>
        <Tile
          label="Messages"
          value={countText(messages)}
          says={turns === 1 ? "1 turn" : `${countText(turns)} turns`}
        />
        <Tile
          label="Failed"
          value={countText(failed)}
          says={`${((failed / messages) * 100).toFixed(1)} %`}
          tone={failed > 0 ? "bad" : "plain"}
        />
        <Tile
          label="95 % took at most"
          value={p95 === null ? "–" : durationText(p95 * 1_000)}
          says={p50 === null ? "" : `half at most ${durationText(p50 * 1_000)}`}
        />
        <Tile label="Tokens" value={countText(tokens)} says="as the agent reports" />
      </Tiles>
      {tokens > 0 && (
        <>
          <h2>Tokens by day</h2>
          <Days label="Tokens by day" days={tokensByDay(value)} say={countText} />
        </>
      )}
    </>
  );
}

function tokensByDay({ days: found }: AgentUsage): { date: string; amount: number }[] {
  return datesOf(days).map((date) => ({ date, amount: found.find((day) => day.date === date)?.tokens ?? 0 }));
}

function columnsOf(activate: (version: string) => void) {
  return [
    {
      title: "Version",
      cell: (version: VersionRecord) => (
        <Link data-row to={`/agents/${version.agent_id}/versions/${version.id}`}>
          Version {version.number}
        </Link>
      ),
    },
    {
      title: "Build",
      cell: ({ status, failure }: VersionRecord) => (
        <>
          <Status of={status} /> {failure && <span className="faint">{failure.message}</span>}
        </>
      ),
    },
    { title: "Source", cell: ({ metadata }: VersionRecord) => <Source of={metadata} />, isMinor: true },
    {
      title: "Runtime",
      cell: ({ runtime }: VersionRecord) => (runtime === null ? "" : `${runtime.language} ${runtime.version}`),
      isMinor: true,
    },
    { title: "Published", cell: ({ created_at: time }: VersionRecord) => <Ago time={time} />, isMinor: true },
    { title: "Active", cell: (version: VersionRecord) => <Activation version={version} activate={activate} /> },
  ];
}

/** The commit, its author and its subject, as the deploying program sent them. */
export function Source({ of }: { readonly of: VersionRecord["metadata"] }) {
  const text = (name: string): string | undefined => {
    const value = of[name];
    return typeof value === "string" ? value : undefined;
  };
  const commit = text("git_commit_sha");
  if (commit === undefined) return <span className="faint">{text("origin")?.replaceAll("_", " ")}</span>;
  const about = [
    text("git_subject"),
    text("git_author") ?? text("git_ref"),
    of["git_dirty"] === true && "with changes",
  ];
  return (
    <span className="clip" title={commit}>
      <code>{commit.slice(0, 8)}</code> <span className="faint">{about.filter(Boolean).join(" · ")}</span>
    </span>
  );
}

interface ActivationProps {
  readonly version: VersionRecord;
  readonly activate: (version: string) => void;
}

function Activation({ version: { id, number, active, status }, activate }: ActivationProps) {
  if (active) return <span className="status good">active</span>;
  if (status !== "ready") return null;
  return (
    <button
      type="button"
      className="quiet above-row"
      onClick={() => activate(id)}
      aria-label={`Activate version ${number}`}
    >
      Activate
    </button>
  );
}

function Schedules({ agentId }: { readonly agentId: string }) {
  const { client } = useAccount();
  const { value } = useLoaded(`schedules of ${agentId}`, (signal) =>
    client.listSchedules({ agent_id: agentId }, { signal }),
  );
  if (value === undefined || value.data.length === 0) return null;
  return (
    <>
      <h2>Schedules</h2>
      <table aria-label="Schedules">
        <Head titles={["Schedule", "Status", "Next"]} />
        <tbody>
          {value.data.map(({ id, name, cron, status, next_due_at: next }: ScheduleRecord) => (
            <tr key={id}>
              <th scope="row">
                <Link data-row to={`/schedules/${id}`}>
                  {name ?? cron}
                </Link>
              </th>
              <td>
                <Status of={status} />
              </td>
              <td>{next === null ? "" : <Ago time={next} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
