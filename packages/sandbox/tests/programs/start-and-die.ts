// A process that starts a sandbox full of daemons, says so, and waits to be killed.

import { createLandlockDriver } from "../../src/index.ts";
import { nextSaid, specFor } from "../sandbox-fixture.ts";

const [slotDir = "", imageDir = "", seconds = ""] = process.argv.slice(2);
const sandbox = await createLandlockDriver().prepare(specFor({ slotDir, imageDir }, ["daemons", seconds]));
process.stdout.write(`${String(await nextSaid(sandbox))}\n`);
