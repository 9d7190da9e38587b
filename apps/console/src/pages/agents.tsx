// All agents of the organization.

import { useAccount } from "../data/account.ts";
import { useList, useLive } from "../data/load.ts";
import { Id } from "../parts/copyable.tsx";
import { shortId } from "../data/format.ts";
import { Link } from "../parts/link.tsx";
import { Empty } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

/** Pause between two answers while the page is visible, in milliseconds. */
const updateEveryMs = 3_000;

export function AgentsPage() {
  const { client } = useAccount();
  const list = useList("agents", (page) => client.listAgents(page));
  useLive(updateEveryMs, list);
  return (
    <Page title="Agents">
      <Table
        label="Agents"
        list={list}
        keyOf={({ id }) => id}
        columns={[
          {
            title: "Name",
            cell: ({ id, name }) => (
              <Link data-row className="clip" to={`/agents/${id}`} title={name}>
                {name}
              </Link>
            ),
          },
          {
            title: "Active version",
            cell: ({ id, active_version_id: version }) =>
              version === null ? (
                <em>none yet</em>
              ) : (
                <Link className="id" to={`/agents/${id}/versions/${version}`} title={version}>
                  <code>{shortId(version)}</code>
                </Link>
              ),
            isMinor: true,
          },
          { title: "Id", cell: ({ id }) => <Id of={id} />, isMinor: true },
          { title: "Created", cell: ({ created_at: time }) => <Ago time={time} /> },
        ]}
        empty={
          <Empty title="No agents yet" command="dari deploy .">
            Deploy one from the folder that holds its <code>dari.yml</code>; <code>dari init my-agent</code> writes you
            one to start from.
          </Empty>
        }
      />
    </Page>
  );
}
