// Hosts that agents can connect to: a field, and a list.

interface HostsFieldProps {
  readonly label: string;
  readonly hint: string;
  readonly isRequired?: boolean;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

export function HostsField({ label, hint, isRequired = false, value, onChange }: HostsFieldProps) {
  return (
    <label>
      <span>
        {label} <span className="faint">{hint}</span>
      </span>
      <textarea
        required={isRequired}
        rows={3}
        spellCheck={false}
        placeholder={"api.example.com\n*.example.com\nexample.com:8443"}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

/** Returns the hosts of a field, separated by lines, spaces or commas, each once. */
export function hostsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))];
}

/** How many hosts are shown at first. A button shows the others. */
const hostsShown = 6;

export function Hosts({ of: hosts }: { readonly of: readonly string[] }) {
  const rest = hosts.length - hostsShown;
  return (
    <>
      <Chips of={hosts.slice(0, hostsShown)} />
      {rest > 0 && (
        <details>
          <summary>{rest} more</summary>
          <Chips of={hosts.slice(hostsShown)} />
        </details>
      )}
    </>
  );
}

function Chips({ of }: { readonly of: readonly string[] }) {
  return (
    <ul className="chips">
      {of.map((one) => (
        <li key={one} className="tag">
          <code>{one}</code>
        </li>
      ))}
    </ul>
  );
}

/** The hosts that a version's dari.yml allows. */
export function AgentHosts({ manifest }: { readonly manifest: Readonly<Record<string, unknown>> }) {
  const hosts = manifest["egress"] as readonly string[] | "models-only" | undefined;
  if (hosts === undefined) return "as the organization allows";
  if (hosts === "models-only") return <ModelHosts models={(manifest["models"] ?? []) as readonly { host: string }[]} />;
  return hosts.length === 0 ? "nothing" : <Hosts of={hosts} />;
}

function ModelHosts({ models }: { readonly models: readonly { readonly host: string }[] }) {
  return (
    <>
      only hosts of models: those that its kept credentials name{models.length > 0 && ", and"}
      {models.length > 0 && <Hosts of={[...new Set(models.map(({ host }) => host))]} />}
    </>
  );
}
