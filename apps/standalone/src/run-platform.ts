// `npm start`: the platform in the foreground until Ctrl-C.

import { limits } from "@dari/domain";
import { collectStartGarbage, waitForAbort, runMain } from "@dari/runtime";
import { callerDirectory, readStandaloneConfig } from "./config.ts";
import { startPlatform } from "./platform.ts";

const say = (text: string): void => void process.stdout.write(`${text}\n`);
/** Time to kill and record up to 2,000 turns, and to end the services, after the grace for turns. Milliseconds. */
const afterGraceMs = 110_000;
let graceMs: number = limits.shutdownGraceMs;

await runMain(
  async (signal, stack, stopNow) => {
    const config = readStandaloneConfig(callerDirectory());
    graceMs = config.shutdownGraceMs;
    const startedAt = performance.now();
    // Other output may be a file, and the log has the same.
    const sayTurn = process.stdout.isTTY ? { sayTurn: say } : {};
    const platform = await startPlatform(config, (text) => say(`· ${text}`), stack, { signal, stopNow, ...sayTurn });
    say(`Dari is ready after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
    say(`  API         ${platform.connection.api_url}`);
    say(`  console     ${platform.connection.console_url}`);
    // Output that is not a terminal may be a log that others read, so it does not get the link.
    if (process.stdout.isTTY) say(`  sign in     ${await platform.createSignInLink()} (once, within ten minutes)`);
    else say("  sign in     with the link that `dari console` prints");
    say(`  key         in ${platform.connectionFile}`);
    say(`  log         ${platform.logFile}`);
    say(`  turns by    ${platform.delivery}`);
    say(`  agents run  ${platform.isolation}`);
    for (const missing of platform.missing) say(`              ${missing}`);
    say("Press Ctrl-C to stop.");
    void collectStartGarbage();
    await waitForAbort(signal);
    say("Stopping: running turns may end first; press Ctrl-C again to stop at once.");
  },
  {
    // Read when the signal arrives, because the settings are known only then.
    get graceMs() {
      return graceMs + afterGraceMs;
    },
    stopNowMs: afterGraceMs,
  },
);
