// One program of a peer: `api`, which accepts messages over HTTP and answers when they have ended, or `worker`.

import { newId } from "@dari/domain";
import express, { type Request, type Response } from "express";
import { programEnvironment } from "../../config.ts";
import { bullmq } from "./bullmq.ts";
import { graphileWorker } from "./graphile-worker.ts";
import type { Peer, PeerSettings, Producer } from "./peer.ts";
import { pgBoss } from "./pg-boss.ts";
import { authenticate, openPool, readMessage } from "./rows.ts";

const peers: Readonly<Record<string, Peer>> = { bullmq, "graphile-worker": graphileWorker, "pg-boss": pgBoss };

const env = programEnvironment();
const peer = peers[env["PEER"] ?? ""];
if (peer === undefined) throw new Error(`PEER is one of ${Object.keys(peers).join(", ")}`);
const settings: PeerSettings = {
  databaseUrl: env["DATABASE_URL"] ?? "",
  redisUrl: env["REDIS_URL"] ?? "",
  slots: Number(env["PEER_SLOTS"]),
};
const pool = openPool(settings.databaseUrl);

if (env["PEER_PROGRAM"] === "worker") await peer.consume(pool, settings);
else await serve(peer, Number(env["PORT"]));
process.stdout.write("peer started\n");
process.once("SIGTERM", () => process.exit(0));

async function serve(from: Peer, port: number): Promise<void> {
  const waiting = new Map<string, () => void>();
  const onDone = (id: string): void => waiting.get(id)?.();
  const producer = await from.produce(pool, settings, onDone);
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.post(["/v1/sessions/:session/messages", "/v1/sessions/:session/messages/async"], express.json(), answer);
  await new Promise<void>((resolve) => {
    // The same as the platform's, because the load's connections may pause.
    app.listen(port, "127.0.0.1", () => resolve()).keepAliveTimeout = 75_000;
  });

  async function answer(request: Request<{ session: string }>, response: Response): Promise<void> {
    const secret = (request.get("authorization") ?? "").replace(/^Bearer /, "");
    const organization = await authenticate(pool, secret);
    if (organization === undefined) return void response.status(401).json({ error: "unauthenticated" });
    const body = request.body as { parts: unknown; metadata?: unknown };
    const turn = { organization, session: request.params.session, parts: body.parts, metadata: body.metadata ?? {} };
    const id = newId("message");
    const isAsync = request.path.endsWith("/async");
    if (isAsync) await producer.send({ ...turn, id });
    else await sendAndWait(producer, waiting, { ...turn, id });
    response.status(isAsync ? 202 : 200).json(await readMessage(pool, organization, id));
  }
}

async function sendAndWait(
  producer: Producer,
  waiting: Map<string, () => void>,
  turn: Parameters<Producer["send"]>[0],
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.set(turn.id, resolve);
  try {
    await producer.send(turn);
    await promise;
  } finally {
    waiting.delete(turn.id);
  }
}
