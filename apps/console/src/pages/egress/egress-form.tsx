// Sets what an organization's agents can connect to: nothing, named hosts, or every public address.

import type { EgressRecord, PutEgressRequest } from "@dari/contract";
import { egressModes } from "@dari/domain";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { Form, FormEnd } from "../../parts/form.tsx";
import { HostsField, hostsOf } from "../../parts/hosts.tsx";

type Mode = PutEgressRequest["mode"];
const modes: Readonly<Record<Mode, string>> = {
  off: "nothing",
  allow: "the hosts below, and no others",
  open: "every public address that the platform lets through",
};

interface EgressFormProps {
  readonly organizationId: string;
  readonly setting: EgressRecord["operator"];
  readonly onSaved: () => void;
  readonly onClose: () => void;
}

export function EgressForm({ organizationId, setting, onSaved, onClose }: EgressFormProps) {
  const { client } = useAccount();
  const [mode, setMode] = useState<Mode>(setting?.mode ?? "allow");
  const [hosts, setHosts] = useState(setting?.hosts.join("\n") ?? "");
  const save = useAction(async () => {
    const body = mode === "allow" ? { mode, hosts: hostsOf(hosts) } : { mode };
    await client.putEgress(body, organizationId);
    onClose();
    onSaved();
  });
  return (
    <Form className="stacked" onSubmit={save.run}>
      <p>It applies from an agent’s next turn on. Running turns keep their rules.</p>
      <label>
        Agents can reach
        <select
          autoFocus
          value={mode}
          onChange={(event) => setMode(egressModes.find((one) => one === event.target.value) ?? mode)}
        >
          {egressModes.map((one) => (
            <option key={one} value={one}>
              {modes[one]}
            </option>
          ))}
        </select>
      </label>
      {mode === "allow" && (
        <HostsField
          label="Hosts"
          hint="one per line; *. matches every subdomain"
          isRequired
          value={hosts}
          onChange={setHosts}
        />
      )}
      <FormEnd action={save} verb="Set it" onClose={onClose} />
    </Form>
  );
}
