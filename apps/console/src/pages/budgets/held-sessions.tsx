// Sessions whose next turn a budget or the operators' stop holds back.

import type { UsageRecord } from "@dari/contract";
import { Head } from "../../parts/head.tsx";
import { Link } from "../../parts/link.tsx";
import { shortId } from "../../data/format.ts";
import { Status } from "../../parts/status.tsx";
import { Ago } from "../../parts/time.tsx";

const reasons = { budget: "a budget is spent", paused: "operators have stopped all turns" } as const;

interface HeldSessionsProps {
  readonly held: UsageRecord["held_sessions"];
  readonly nameOf: (agentId: string) => string;
}

export function HeldSessions({ held, nameOf }: HeldSessionsProps) {
  if (held.length === 0) return <p className="faint">None: no message waits for a budget or for operators.</p>;
  return (
    <table aria-label="Held sessions">
      <Head titles={["Session", ["Agent", "minor"], "Held because", "Waits since"]} />
      <tbody>
        {held.map(({ session_id: id, agent_id: agentId, reason, since }) => (
          <tr key={id}>
            <td>
              <Link data-row to={`/sessions/${id}`} title={id}>
                <code>{shortId(id)}</code>
              </Link>
            </td>
            <td className="minor">{nameOf(agentId)}</td>
            <td>
              <Status of={reason} /> <span className="faint">{reasons[reason]}</span>
            </td>
            <td>
              <Ago time={since} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
