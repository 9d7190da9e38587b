// Which failed messages are looked for: by agent, by error, and for operators of every organization.

import { useAccount } from "../data/account.ts";
import { useLoaded } from "../data/load.ts";

/** So many agents are offered by name. */
const agentsOffered = 100;

interface FailedFiltersProps {
  readonly query: URLSearchParams;
  readonly change: (name: string, value: string) => void;
}

export function FailedFilters({ query, change }: FailedFiltersProps) {
  const { client, organization } = useAccount();
  const agents = useLoaded("agents offered", (signal) => client.listAgents({ limit: agentsOffered }, { signal }));
  return (
    <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label>
        Agent
        <select value={query.get("agent_id") ?? ""} onChange={(event) => change("agent_id", event.target.value)}>
          <option value="">any</option>
          {agents.value?.data.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Error code
        <input
          data-search
          type="search"
          placeholder="worker_lost"
          defaultValue={query.get("error_code") ?? ""}
          onKeyDown={(event) => event.key === "Enter" && change("error_code", event.currentTarget.value.trim())}
        />
      </label>
      {organization.is_operator && (
        <label className="check">
          <input
            type="checkbox"
            checked={query.has("everywhere")}
            onChange={(event) => change("everywhere", event.target.checked ? "1" : "")}
          />
          Of every organization
        </label>
      )}
    </form>
  );
}
