// The apps that the signed-in person has connected.

import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useList } from "../data/load.ts";
import { ConfirmButton } from "../parts/dialog.tsx";
import { Empty, ErrorNote } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

export function AppsPage() {
  const { client } = useAccount();
  const list = useList("apps", (page) => client.listConnectedApps(page));
  const disconnect = useAction(async (id: string) => {
    await client.disconnectApp(id);
    list.reload();
  });
  return (
    <Page title="Connected apps" says="Apps that can use the agents as you, such as MCP clients.">
      <ErrorNote error={disconnect.error} />
      <Table
        label="Connected apps"
        list={list}
        keyOf={({ id }) => id}
        columns={[
          { title: "App", cell: ({ client_name: name }) => name },
          { title: "Connected from", cell: ({ redirect_host: host }) => <code>{host}</code> },
          { title: "Scopes", cell: ({ scopes }) => scopes.join(", ") },
          { title: "Last used", cell: ({ last_used_at: time }) => <Ago time={time} /> },
          { title: "Ends", cell: ({ expires_at: time }) => time.slice(0, 10), isMinor: true },
          { title: "Connected", cell: ({ created_at: time }) => <Ago time={time} />, isMinor: true },
          {
            title: "Disconnect",
            isAction: true,
            cell: ({ id, client_name: name }) => (
              <ConfirmButton
                label="Disconnect"
                of={`Disconnect ${name}`}
                tone="quiet"
                title={`Disconnect ${name}?`}
                says="Its calls are refused at once. It can ask you again."
                verb="Disconnect it"
                onConfirm={() => disconnect.run(id)}
              />
            ),
          },
        ]}
        empty={
          <Empty title="No connected apps">An MCP client asks for access when you add this platform’s address.</Empty>
        }
      />
    </Page>
  );
}
