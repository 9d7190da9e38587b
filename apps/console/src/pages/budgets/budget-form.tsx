// Sets a budget for the organization, one agent or one session. It replaces an existing one.

import { budgetPeriods, type PutBudgetRequest } from "@dari/contract";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { AgentField } from "../../parts/choice.tsx";
import { Form, FormEnd } from "../../parts/form.tsx";

interface BudgetFormProps {
  readonly onSaved: () => void;
  readonly onClose: () => void;
}

type Cap = "max_turns" | "max_turn_seconds" | "max_tokens";
const caps: readonly { readonly name: Cap; readonly label: string; readonly hint: string }[] = [
  { name: "max_turns", label: "Turns", hint: "attempts that call the agent" },
  { name: "max_turn_seconds", label: "Turn seconds", hint: "that turns hold a slot, together" },
  { name: "max_tokens", label: "Tokens", hint: "as agents’ SDKs report them" },
];

export function BudgetForm({ onSaved, onClose }: BudgetFormProps) {
  const { client } = useAccount();
  const [agentId, setAgentId] = useState("");
  const [period, setPeriod] = useState<PutBudgetRequest["period"]>("month");
  const [values, setValues] = useState<Partial<Record<Cap, string>>>({});
  const save = useAction(async () => {
    const set = caps.flatMap(({ name }) => (values[name] ? [[name, Number(values[name])] as const] : []));
    const target = agentId === "" ? {} : { agent_id: agentId };
    await client.putBudget({ period, ...target, ...Object.fromEntries(set) });
    onClose();
    onSaved();
  });
  const isEmpty = caps.every(({ name }) => !values[name]);
  return (
    <Form className="stacked" onSubmit={save.run}>
      <AgentField label="For" none="the organization" value={agentId} onChange={setAgentId} />
      <label>
        Period
        <select
          value={period}
          onChange={(event) => setPeriod(budgetPeriods.find((one) => one === event.target.value) ?? "month")}
        >
          {budgetPeriods.map((one) => (
            <option key={one} value={one}>
              {one === "total" ? "in total" : `each ${one}, in UTC`}
            </option>
          ))}
        </select>
      </label>
      {caps.map(({ name, label, hint }) => (
        <label key={name}>
          <span>
            {label} <span className="faint">{hint}</span>
          </span>
          <input
            type="number"
            min={0}
            step={1}
            placeholder="no limit"
            value={values[name] ?? ""}
            onChange={(event) => setValues({ ...values, [name]: event.target.value })}
          />
        </label>
      ))}
      <FormEnd action={save} verb="Set it" isReady={!isEmpty} onClose={onClose} />
    </Form>
  );
}
