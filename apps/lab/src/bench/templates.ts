// Measures what it saves to load an agent once and fork it: turns of a Python agent with an SDK, POST to reply, on two
// platforms that differ only in DARI_TEMPLATES.
//
//   npm run lab -- bench/templates [--smoke]
//
// `idle`: one session, each turn after a pause, so that a sandbox is preloaded for it; `busy`: several clients, each
// with its own session, as fast as they are answered. The first turns of each are not counted.
//
// Expected: no difference for idle. With 4 clients on 2 cores, an import of a second of processor time costs every turn
// without forks that second, and no turn with them.

import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@dari/client";
import { deployFiles } from "../deploy-files.ts";
import { readFlags } from "../flags.ts";
import { startStandalone } from "../standalone-process.ts";
import { sendTurn, type Api } from "./one-turn.ts";
import { spreadOf, timed } from "./statistics.ts";
import { gate, medianOf, report } from "./verdict.ts";

const { smoke } = readFlags({ smoke: { type: "boolean", default: false } }).values;
const parameters = { rounds: smoke ? 3 : 15, clients: 4, per_client: smoke ? 2 : 10, not_counted: 2 };
/** The sandbox for the next turn is preloaded after the last one. */
const restMs = 1_500;

const files = {
  "dari.yml": "name: sdk-python\nsdk: openai-agents\nentrypoint: agent.py:agent\n",
  "requirements.txt": "openai-agents==0.24.0\n",
  "agent.py": [
    "from agents import Agent\n",
    'helper = Agent(name="ok", instructions="Help.")\n',
    "def agent(prompt):\n    return helper.name\n",
  ].join("\n"),
};

interface Platform {
  readonly api: Api;
  readonly agentId: string;
}

type Way = "forked" | "loaded";

/** Runs turns on both platforms alternately. */
async function idle(platforms: Record<Way, Platform>): Promise<Record<Way, number[]>> {
  const samples: Record<Way, number[]> = { forked: [], loaded: [] };
  const sessions = {
    forked: (await createClient(platforms.forked.api).createSession(platforms.forked.agentId)).id,
    loaded: (await createClient(platforms.loaded.api).createSession(platforms.loaded.agentId)).id,
  };
  for (let i = -parameters.not_counted; i < parameters.rounds; i++) {
    for (const way of ["forked", "loaded"] as const) {
      const ms = await timed(() => sendTurn(platforms[way].api, sessions[way]));
      if (i >= 0) samples[way].push(ms);
      await sleep(restMs);
    }
  }
  return samples;
}

async function loaded(platform: Platform): Promise<{ samples: number[]; perSecond: number }> {
  const client = createClient(platform.api);
  const sessions = await Promise.all(
    Array.from({ length: parameters.clients }, async () => (await client.createSession(platform.agentId)).id),
  );
  const play = (times: number): Promise<number[][]> =>
    Promise.all(
      sessions.map(async (id) => {
        const samples: number[] = [];
        for (let i = 0; i < times; i++) samples.push(await timed(() => sendTurn(platform.api, id)));
        return samples;
      }),
    );
  await play(parameters.not_counted);
  const startedAt = performance.now();
  const samples = (await play(parameters.per_client)).flat();
  return { samples, perSecond: samples.length / ((performance.now() - startedAt) / 1_000) };
}

await using forking = await startStandalone({ DARI_TEMPLATES: "auto" });
await using loading = await startStandalone({ DARI_TEMPLATES: "off" });

async function deployed({ apiUrl, apiKey }: Api): Promise<Platform> {
  const api = { apiUrl, apiKey };
  return { api, agentId: (await deployFiles(api, files)).agentId };
}

const platforms = { forked: await deployed(forking), loaded: await deployed(loading) };
const alone = await idle(platforms);
const busy = { forked: await loaded(platforms.forked), loaded: await loaded(platforms.loaded) };

report({
  name: "templates",
  parameters,
  result: {
    "idle/forked": spreadOf(alone.forked),
    "idle/loaded": spreadOf(alone.loaded),
    "busy/forked": { ...spreadOf(busy.forked.samples), turns_per_second: busy.forked.perSecond },
    "busy/loaded": { ...spreadOf(busy.loaded.samples), turns_per_second: busy.loaded.perSecond },
  },
  gates: [
    gate("an idle turn, forked, of loaded", medianOf(alone.forked) / medianOf(alone.loaded), 1.2),
    gate("a busy turn, forked, of loaded", medianOf(busy.forked.samples) / medianOf(busy.loaded.samples), 0.25),
  ],
  smoke,
});
