// A process that starts a sandbox full of daemons, reports that, and waits to be killed.

import { createLandlockDriver, createOciDriver } from "../../src/index.ts";
import { nextSaid, ociOptions, specFor } from "../sandbox-fixture.ts";

const [slotDir = "", imageDir = "", seconds = "", name = "landlock"] = process.argv.slice(2);
const driver = name === "oci" ? createOciDriver(ociOptions) : createLandlockDriver();
const sandbox = await driver.prepare(specFor({ slotDir, imageDir }, ["daemons", seconds]));
process.stdout.write(`${String(await nextSaid(sandbox))}\n`);
