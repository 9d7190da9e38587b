// Credentials: names and dates. A value goes in and never comes out.

import { useState, type FormEvent } from "react";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useList } from "../data/load.ts";
import { Confirm } from "../parts/dialog.tsx";
import { Empty, ErrorNote } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

export function CredentialsPage() {
  const { client } = useAccount();
  const list = useList("credentials", (page) => client.listCredentials("current", page));
  const [doomed, setDoomed] = useState<string>();
  const remove = useAction(async (name: string) => {
    await client.deleteCredential(name);
    list.reload();
  });
  return (
    <Page
      title="Credentials"
      says={
        <>
          Agents get those that their <code>dari.yml</code> names as environment variables. Values are never shown
          again.
        </>
      }
    >
      <NewCredential onStored={list.reload} />
      <ErrorNote error={remove.error} />
      <Table
        label="Credentials"
        list={list}
        keyOf={({ id }) => id}
        columns={[
          { title: "Name", cell: ({ name }) => <code>{name}</code> },
          { title: "Created", cell: ({ created_at: time }) => <Ago time={time} />, isMinor: true },
          { title: "Changed", cell: ({ updated_at: time }) => <Ago time={time} /> },
          {
            title: "Remove",
            isAction: true,
            cell: ({ name }) => (
              <button type="button" className="quiet" onClick={() => setDoomed(name)} aria-label={`Remove ${name}`}>
                Remove
              </button>
            ),
          },
        ]}
        empty={<Empty title="No credentials" command="dari credentials add OPENAI_API_KEY --value-stdin" />}
      />
      {doomed !== undefined && (
        <Confirm
          title={`Remove ${doomed}?`}
          says="Messages to agents that need it will fail until it is stored again."
          verb="Remove it"
          onConfirm={() => remove.run(doomed)}
          onClose={() => setDoomed(undefined)}
        />
      )}
    </Page>
  );
}

function NewCredential({ onStored }: { readonly onStored: () => void }) {
  const { client } = useAccount();
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const store = useAction(async () => {
    await client.putCredential(name, value);
    setName("");
    setValue("");
    onStored();
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    store.run();
  };
  return (
    <form className="inline" onSubmit={submit}>
      <label>
        Name
        <input
          data-search
          required
          pattern="[A-Z_][A-Z0-9_]*"
          title="Capital letters, digits and _"
          placeholder="OPENAI_API_KEY"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </label>
      <label>
        Value
        <input
          required
          type="password"
          autoComplete="off"
          value={value}
          onChange={(event) => setValue(event.target.value)}
        />
      </label>
      <button type="submit" className="primary" disabled={store.isRunning}>
        Store
      </button>
      <ErrorNote error={store.error} />
    </form>
  );
}
