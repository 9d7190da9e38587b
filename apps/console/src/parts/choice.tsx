// Filters above a list, and the choice of an agent, for filters and forms.

import { lanes, looksLikeAgentId, type Lane } from "@dari/domain";
import { useEffect, useState } from "react";
import { useAgents } from "../data/agents.ts";
import { shortId } from "../data/format.ts";

interface FilterProps<Value extends string> {
  readonly label: string;
  readonly values: readonly Value[];
  readonly value: Value | undefined;
  /** Undefined for any. */
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

interface TextFilterProps {
  readonly label: string;
  readonly placeholder: string;
  /** False if the shortcut / leads to another field of the page (default: true). */
  readonly isMain?: boolean;
  readonly value: string;
  /** Called when Enter is pressed, and when the field is cleared. */
  readonly onChange: (value: string) => void;
}

export function TextFilter({ label, placeholder, isMain = true, value, onChange }: TextFilterProps) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  const change = (text: string): void => {
    setDraft(text);
    if (text === "") onChange("");
  };
  return (
    <label>
      {label}
      <input
        data-search={isMain ? "" : undefined}
        type="search"
        placeholder={placeholder}
        value={draft}
        onChange={(event) => change(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && onChange(draft.trim())}
      />
    </label>
  );
}

/** Explains each lane. */
const laneTexts: Readonly<Record<Lane, string>> = {
  interactive: "interactive: a person waits",
  background: "background: after the others",
};

interface LaneFieldProps {
  readonly value: Lane;
  readonly onChange: (lane: Lane) => void;
  readonly className?: string;
}

export function LaneField({ value, onChange, className }: LaneFieldProps) {
  return (
    <label className={className}>
      Lane
      <select
        value={value}
        onChange={(event) => onChange(lanes.find((one) => one === event.target.value) ?? "interactive")}
      >
        {lanes.map((one) => (
          <option key={one} value={one}>
            {laneTexts[one]}
          </option>
        ))}
      </select>
    </label>
  );
}

interface AgentFieldProps {
  readonly label?: string;
  /** The label of the choice without an agent; undefined if an agent must be chosen. */
  readonly none?: string;
  readonly value: string;
  readonly onChange: (agentId: string) => void;
}

export function AgentField({ label = "Agent", none, value, onChange }: AgentFieldProps) {
  const agents = useAgents();
  // An address can name the agent.
  const chosen = agents.find(({ id, name }) => id === value || name === value)?.id ?? value;
  return (
    <label>
      {label}
      <select required={none === undefined} value={chosen} onChange={(event) => onChange(event.target.value)}>
        <option value="">{none ?? "choose one"}</option>
        {chosen !== "" && !agents.some(({ id }) => id === chosen) && (
          <option value={chosen}>{looksLikeAgentId(chosen) ? shortId(chosen) : chosen}</option>
        )}
        {agents.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
