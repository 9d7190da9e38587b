// Dispatched and running turns, with the rest of their leases.

import type { FleetRecord } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { durationText, shortId } from "../../data/format.ts";
import { CopyButton } from "../../parts/copyable.tsx";
import { Head } from "../../parts/head.tsx";
import { Link } from "../../parts/link.tsx";
import { Status } from "../../parts/status.tsx";

type TurnInFlight = FleetRecord["turns"][number];

interface TurnsInFlightProps {
  readonly turns: readonly TurnInFlight[];
  readonly organizations: FleetRecord["organizations"];
}

export function TurnsInFlight({ turns, organizations }: TurnsInFlightProps) {
  const names = new Map(organizations.map(({ organization_id: id, name }) => [id, name]));
  if (turns.length === 0) return <p className="faint">No turn runs.</p>;
  return (
    <table aria-label="Running turns">
      <Head
        titles={[
          "Message",
          "State",
          ["For", "number"],
          ["Lease left", "number minor"],
          ["Organization", "minor"],
          ["Worker", "minor"],
        ]}
      />
      <tbody>
        {turns.map((turn) => (
          <Row key={turn.session_id} turn={turn} organization={names.get(turn.organization_id)} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ turn, organization }: { readonly turn: TurnInFlight; readonly organization: string | undefined }) {
  const { state, attempt, running_ms: runningMs, lease_left_ms: leaseMs, worker_id: worker } = turn;
  return (
    <tr>
      <td>
        <Message turn={turn} />
        {attempt !== null && attempt > 1 && <div className="faint">attempt {attempt}</div>}
      </td>
      <td>
        <Status of={state === "leased" ? "running" : "dispatched"} />
      </td>
      <td className="number">{runningMs === null ? "–" : durationText(runningMs)}</td>
      <td className={leaseMs < 0 ? "number minor bad" : "number minor"}>
        {leaseMs < 0 ? "expired" : durationText(leaseMs)}
      </td>
      <td className="minor">{organization ?? shortId(turn.organization_id)}</td>
      <td className="minor">{worker !== null && <code title={worker}>{shortId(worker)}</code>}</td>
    </tr>
  );
}

/** Operators can open only their own organization's messages. Others are shown as ids. */
function Message({ turn: { message_id: id, organization_id: organizationId } }: { readonly turn: TurnInFlight }) {
  const { organization } = useAccount();
  if (id === null) return null;
  const name = <code title={id}>{shortId(id)}</code>;
  return (
    <span className="id">
      {organizationId === organization.id ? (
        <Link data-row to={`/messages/${id}`}>
          {name}
        </Link>
      ) : (
        name
      )}
      <CopyButton text={id} />
    </span>
  );
}
