// For operators: whether the installation is well, who works in it, and what contradicts what must always hold.

import type { OperatorHealth } from "@dari/contract";
import { useAccount } from "../data/account.ts";
import { durationText } from "../data/format.ts";
import { useLoaded } from "../data/load.ts";
import { Empty, ErrorNote, Loading } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";

export function FleetPage() {
  const { client } = useAccount();
  const health = useLoaded("health", (signal) => client.operatorHealth({ signal }));
  return (
    <Page
      title="Fleet"
      beside={health.value && <Verdict ok={health.value.ok} />}
      actions={
        <button type="button" onClick={health.reload}>
          Look again
        </button>
      }
    >
      <ErrorNote error={health.error} retry={health.reload} />
      {health.value === undefined && health.error === undefined && <Loading />}
      {health.value && <Health health={health.value} />}
    </Page>
  );
}

function Verdict({ ok }: { readonly ok: boolean }) {
  return <span className={`status ${ok ? "good" : "bad"}`}>{ok ? "ok" : "problem"}</span>;
}

function Health({ health: { checks, workers, violations } }: { readonly health: OperatorHealth }) {
  return (
    <>
      <table aria-label="Checks">
        <thead>
          <tr>
            <th scope="col">Check</th>
            <th scope="col">State</th>
            <th scope="col">Found</th>
          </tr>
        </thead>
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
      <h2>Workers</h2>
      <Workers workers={workers} />
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

function Workers({ workers }: Pick<OperatorHealth, "workers">) {
  if (workers.length === 0) {
    return <Empty title="No worker has been seen">Turns wait until one is started: see docs/ARCHITECTURE.md.</Empty>;
  }
  return (
    <table aria-label="Workers">
      <thead>
        <tr>
          <th scope="col">Worker</th>
          <th scope="col">Pool</th>
          <th scope="col">Slots</th>
          <th scope="col">Seen</th>
        </tr>
      </thead>
      <tbody>
        {workers.map(({ id, pool, slots, draining, seen_ms_ago: seenMs }) => (
          <tr key={id}>
            <td>
              <code>{id}</code> {draining && <Status of="draining" />}
            </td>
            <td>{pool}</td>
            <td>{slots}</td>
            <td>{durationText(seenMs)} ago</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
