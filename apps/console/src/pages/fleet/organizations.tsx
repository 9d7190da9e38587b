// The length and age of each organization's queue, and its share of the fleet.

import type { FleetRecord } from "@dari/contract";
import { countText, durationText } from "../../data/format.ts";
import { CopyButton } from "../../parts/copyable.tsx";
import { Head } from "../../parts/head.tsx";
import { Gauge } from "../../parts/tiles.tsx";

export function Organizations({ organizations }: Pick<FleetRecord, "organizations">) {
  if (organizations.length === 0) return <p className="faint">No organization waits or runs.</p>;
  return (
    <table aria-label="Queue by organization">
      <Head
        titles={["Organization", ["Waiting", "number"], ["Oldest", "number"], "Running", ["Weight", "number minor"]]}
      />
      <tbody>
        {organizations.map((row) => (
          <tr key={row.organization_id}>
            <td>
              <span className="id" title={row.organization_id}>
                <span className="clip">{row.name}</span>
                <CopyButton text={row.organization_id} />
              </span>
            </td>
            <td className="number">{countText(row.ready)}</td>
            <td className="number">{row.oldest_ready_ms === null ? "–" : durationText(row.oldest_ready_ms)}</td>
            <td>
              <Gauge label="Concurrent turns" used={row.in_flight} most={row.max_concurrency} say={countText} />
            </td>
            <td className="number minor">{row.weight}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
