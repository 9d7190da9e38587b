// Goes through what every turn does, with nobody to hear it, so that its code is compiled before a turn waits for it.

import { openLines } from "./channel.mjs";
import { prepareRunner } from "./entrypoint.mjs";

/** What is done for the second time is compiled once more, the expressions that texts are matched with for one. */
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

/** Called before any code of the agent is loaded; runs none of it. Nothing is written to the channel. */
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
