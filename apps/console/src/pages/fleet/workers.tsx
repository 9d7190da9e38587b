// Workers: their slots, the used ones, and whether memory allows more turns.

import type { FleetRecord } from "@dari/contract";
import { countText, durationText, sizeText } from "../../data/format.ts";
import { Id } from "../../parts/copyable.tsx";
import { Head } from "../../parts/head.tsx";
import { Empty } from "../../parts/notes.tsx";
import { Status } from "../../parts/status.tsx";
import { Gauge } from "../../parts/tiles.tsx";

type WorkerRecord = FleetRecord["workers"][number];

export function Workers({ workers }: Pick<FleetRecord, "workers">) {
  if (workers.length === 0) {
    return <Empty title="No workers">Turns wait until you start one.</Empty>;
  }
  return (
    <table aria-label="Workers">
      <Head
        titles={[
          "Worker",
          "Slots taken",
          "Free memory",
          ["Pool", "minor"],
          ["Sandbox", "minor"],
          ["Seen", "number minor"],
        ]}
      />
      <tbody>
        {workers.map((worker) => (
          <tr key={worker.id}>
            <td>
              <Id of={worker.id} /> {worker.draining && <Status of="draining" />}
            </td>
            <td>
              <Gauge label="Slots taken" used={worker.in_use} most={worker.slots} say={countText} />
            </td>
            <td>
              <Memory worker={worker} />
            </td>
            <td className="minor">{worker.pool}</td>
            <td className="minor">{worker.sandbox ?? "–"}</td>
            <td className="number minor">{durationText(worker.seen_ms_ago)} ago</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Memory({ worker }: { readonly worker: WorkerRecord }) {
  const { memory_available_bytes: available, memory_needed_bytes: needed } = worker;
  if (available === null || needed === null) return <span className="faint">unknown</span>;
  const isShort = available < needed;
  return (
    <span className={isShort ? "bad" : undefined}>
      {sizeText(available)} <span className="faint">a turn needs {sizeText(needed)}</span>
    </span>
  );
}
