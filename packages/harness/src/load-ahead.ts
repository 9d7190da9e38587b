// Has a started guest load an agent before there is a turn for it.

import type { Duplex } from "node:stream";
import { sendFrame } from "./frames.ts";
import type { Entry } from "./protocol.ts";

/**
 * The guest loads the entrypoint and waits. What comes of it is told to the turn that is run in the guest later, as if
 * the code had been loaded for it; meanwhile nothing of the channel is read.
 */
export function loadAhead(o: {
  channel: Duplex;
  entry: Entry;
  /** As seen inside the sandbox. */
  imageDir: string;
  sdk: string;
}): void {
  o.channel.on("error", () => {});
  sendFrame(o.channel, { t: "load", entry: o.entry, imageDir: o.imageDir, sdk: o.sdk });
}
