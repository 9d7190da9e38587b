// A choice above a list that narrows it, and the choice of an agent in a form.

import { useAccount } from "../data/account.ts";
import { useLoaded } from "../data/load.ts";

interface FilterProps<Value extends string> {
  readonly label: string;
  readonly values: readonly Value[];
  readonly value: Value | undefined;
  /** Undefined: any. */
  readonly onChange: (value: Value | undefined) => void;
}

export function Filter<Value extends string>({ label, values, value, onChange }: FilterProps<Value>) {
  return (
    <label className="inline-choice">
      {label}
      <select value={value ?? ""} onChange={(event) => onChange(values.find((one) => one === event.target.value))}>
        <option value="">any</option>
        {values.map((one) => (
          <option key={one} value={one}>
            {one.replaceAll("_", " ")}
          </option>
        ))}
      </select>
    </label>
  );
}

/** So many agents are offered by name. */
const agentsOffered = 100;

interface AgentFieldProps {
  readonly label?: string;
  /** What no agent means; undefined: one must be chosen. */
  readonly none?: string;
  readonly value: string;
  readonly onChange: (agentId: string) => void;
}

export function AgentField({ label = "Agent", none, value, onChange }: AgentFieldProps) {
  const { client } = useAccount();
  const agents = useLoaded("agents offered", (signal) => client.listAgents({ limit: agentsOffered }, { signal }));
  return (
    <label>
      {label}
      <select required={none === undefined} value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">{none ?? "choose one"}</option>
        {agents.value?.data.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
