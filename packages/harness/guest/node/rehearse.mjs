// Runs through the steps of a turn without a host, so that their code is compiled before a real turn.

import { openLines } from "./channel.mjs";
import { prepareRunner } from "./entrypoint.mjs";

/** V8 compiles some things, such as regular expressions, again on their second use. */
const times = 3;
const go = Buffer.from('{"t":"go"}\n');
const run = Buffer.from('{"t":"run","prompt":"","context":{"answers":{}},"limits":{},"workspace":"."}\n');
const found = {
  value: function* () {
    yield "said";
  },
  kind: "generator",
  file: "",
};

/** Called before any code of the agent is loaded. Runs none of it and writes nothing to the channel. */
export async function rehearse(Guest, channel) {
  const loaded = { found, runner: await prepareRunner(found, { entry: {}, sdk: "" }) };
  for (let i = 0; i < times; i += 1) {
    await new Promise((resolve) => {
      const send = async ({ t }) => {
        if (t === "started") hear(go);
        else if (t !== "delta") resolve();
      };
      const guest = new Guest({ ...channel, send }, Promise.resolve(loaded));
      const hear = openLines((frame) => guest.take(frame));
      hear(run);
    });
  }
}
