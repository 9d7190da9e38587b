// For operators: waiting organizations, running turns and workers, and a health check on request.

import type { FleetRecord } from "@dari/contract";
import { useAccount } from "../../data/account.ts";
import { countText, durationText } from "../../data/format.ts";
import { useLoaded } from "../../data/load.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNote, Loading } from "../../parts/notes.tsx";
import { Page } from "../../parts/page.tsx";
import { PlatformStop } from "../../parts/platform-stop.tsx";
import { Tile, Tiles } from "../../parts/tiles.tsx";
import { Health } from "./health.tsx";
import { Organizations } from "./organizations.tsx";
import { TurnsInFlight } from "./turns-in-flight.tsx";
import { Workers } from "./workers.tsx";

/** How often the page loads again, in milliseconds. */
const lookEveryMs = 2_000;
/** A turn that waits longer than this is highlighted. Milliseconds. */
const longWaitMs = 30_000;

export function FleetPage() {
  const { client } = useAccount();
  const fleet = useLoaded("fleet", (signal) => client.getFleet({ signal }), { againAfterMs: () => lookEveryMs });
  return (
    <Page
      title="Fleet"
      says="Every organization’s turns and every worker, updated every two seconds."
      actions={
        <>
          <Link className="button" to="/failed?everywhere=1">
            Failed messages
          </Link>
          <a className="button" href="/ops/queues">
            Queue board
          </a>
        </>
      }
    >
      <PlatformStop />
      <ErrorNote error={fleet.error} retry={fleet.reload} />
      {fleet.value === undefined && fleet.error === undefined && <Loading />}
      {fleet.value && <Shown fleet={fleet.value} />}
      {fleet.value && <Health />}
    </Page>
  );
}

function Shown({ fleet }: { readonly fleet: FleetRecord }) {
  return (
    <>
      <Summary fleet={fleet} />
      <h2>Queue by organization</h2>
      <Organizations organizations={fleet.organizations} />
      <h2>Running turns</h2>
      <TurnsInFlight turns={fleet.turns} organizations={fleet.organizations} />
      <h2>Workers</h2>
      <Workers workers={fleet.workers} />
    </>
  );
}

/** Says why no session is next although some wait. */
function waitingText(ready: number): string {
  return ready === 0 ? "none waiting" : "held by a limit";
}

function Summary({ fleet: { schedule, organizations, workers } }: { readonly fleet: FleetRecord }) {
  const offered = workers.filter(({ draining }) => !draining);
  const slots = offered.reduce((sum, worker) => sum + worker.slots, 0);
  const oldestMs = organizations[0]?.oldest_ready_ms ?? null;
  const running = schedule.leased + schedule.dispatched;
  return (
    <Tiles>
      <Tile
        label="Waiting"
        value={countText(schedule.ready)}
        says={oldestMs === null ? waitingText(schedule.ready) : `the first for ${durationText(oldestMs)}`}
        tone={(oldestMs ?? 0) > longWaitMs ? "wait" : "plain"}
      />
      <Tile label="Running" value={countText(running)} says={`${countText(schedule.dispatched)} dispatched`} />
      <Tile
        label="Slots"
        value={countText(slots)}
        says={`${countText(Math.max(0, slots - running))} free`}
        tone={slots === 0 ? "bad" : "plain"}
      />
      <Tile label="Workers" value={countText(workers.length)} says={`${workers.length - offered.length} draining`} />
      <Tile label="Between attempts" value={countText(schedule.retry_wait)} says="wait for their retry" />
      <Tile label="Blocked" value={countText(schedule.blocked)} says="input, build, budget" />
    </Tiles>
  );
}
