// One agent: its versions, the active one, and a button for a new session.

import type { VersionRecord } from "@dari/contract";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useList, useLoaded } from "../data/load.ts";
import { goTo } from "../data/route.ts";
import { Id } from "../parts/copyable.tsx";
import { Link } from "../parts/link.tsx";
import { Empty, ErrorNote } from "../parts/notes.tsx";
import { Page, Pending } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

const above = { to: "/agents", label: "Agents" };

export function AgentPage({ agentId }: { readonly agentId: string }) {
  const { client } = useAccount();
  const agent = useLoaded(agentId, (signal) => client.getAgent(agentId, { signal }));
  const versions = useList(`versions of ${agentId}`, (page) => client.listVersions(agentId, page));
  const start = useAction(async () => goTo(`/sessions/${(await client.createSession(agentId)).id}`));
  const activate = useAction(async (version: string) => {
    await client.activateVersion(agentId, version);
    versions.reload();
  });
  if (agent.value === undefined) return <Pending of={agent} title="Agent" above={above} />;
  return (
    <Page
      title={agent.value.name}
      above={above}
      actions={
        <>
          <Link className="button" to={`/sessions?agent_id=${agentId}`}>
            Its sessions
          </Link>
          <button type="button" className="primary" onClick={start.run} disabled={start.isRunning}>
            New session
          </button>
        </>
      }
    >
      <p>
        <Id of={agentId} />
      </p>
      <ErrorNote error={start.error ?? activate.error} />
      <h2>Versions</h2>
      <Table
        label="Versions"
        list={versions}
        keyOf={({ id }) => id}
        columns={columnsOf(activate.run)}
        empty={<Empty title="No versions" command="dari deploy ." />}
      />
    </Page>
  );
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
    {
      title: "Runtime",
      cell: ({ runtime }: VersionRecord) => (runtime === null ? "" : `${runtime.language} ${runtime.version}`),
      isMinor: true,
    },
    { title: "Published", cell: ({ created_at: time }: VersionRecord) => <Ago time={time} />, isMinor: true },
    { title: "New sessions", cell: (version: VersionRecord) => <Activation version={version} activate={activate} /> },
  ];
}

interface ActivationProps {
  readonly version: VersionRecord;
  readonly activate: (version: string) => void;
}

function Activation({ version: { id, number, active, status }, activate }: ActivationProps) {
  if (active) return <strong>use this one</strong>;
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
