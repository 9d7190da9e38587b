// The health of the installation and its invariants. It is loaded only on request, because it reads every table.

import type { OperatorHealth } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { useLoaded } from "../../data/load.ts";
import { Head } from "../../parts/head.tsx";
import { ErrorNote } from "../../parts/notes.tsx";

export function Health() {
  const { client } = useAccount();
  const health = useLoaded("health", (signal) => client.getOperatorHealth({ signal }));
  const { value, error, reload } = health;
  return (
    <>
      <div className="section-head">
        <h2>Checks {value && <Verdict ok={value.ok} />}</h2>
        <button type="button" className="quiet" onClick={reload}>
          Check again
        </button>
      </div>
      <ErrorNote error={error} retry={reload} />
      {value === undefined && error === undefined && <p className="faint">Reading every table …</p>}
      {value && <Checks checks={value.checks} />}
      {value && <Invariants violations={value.violations} />}
    </>
  );
}

function Verdict({ ok }: { readonly ok: boolean }) {
  return <span className={`status ${ok ? "good" : "bad"}`}>{ok ? "ok" : "problem"}</span>;
}

function Checks({ checks }: Pick<OperatorHealth, "checks">) {
  return (
    <table aria-label="Checks">
      <Head titles={["Check", "State", "Found"]} />
      <tbody>
        {checks.map(({ name, ok, found, what_to_do: whatToDo }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <Verdict ok={ok} />
            </td>
            <td>
              {found}
              {whatToDo !== null && <div className="faint">What to do: {whatToDo}</div>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Invariants({ violations }: Pick<OperatorHealth, "violations">) {
  return (
    <>
      <h2>Invariants</h2>
      {violations.length === 0 && <p>All hold.</p>}
      {violations.map(({ invariant, says, rows }) => (
        <div key={invariant} className="note bad">
          <p>
            <strong>{invariant}</strong>: {says}
          </p>
          <pre className="log">{rows.join("\n")}</pre>
        </div>
      ))}
    </>
  );
}
