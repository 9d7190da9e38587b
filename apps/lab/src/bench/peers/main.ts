// One program of the plain BullMQ queue that benchmarks compare with: `api`, which accepts messages over HTTP and
// answers when they have ended, or `worker`.

import { newId } from "@dari/domain";
import express, { type Request, type Response } from "express";
import { programEnvironment } from "../../config.ts";
import { openProducer, startConsumer } from "./bullmq.ts";
import { authenticate, openPool, readMessage, type NewTurn } from "./rows.ts";

const env = programEnvironment();
const redisUrl = env["REDIS_URL"] ?? "";
const pool = openPool(env["DATABASE_URL"] ?? "");

if (env["PEER_PROGRAM"] === "worker") await startConsumer(pool, redisUrl, Number(env["PEER_SLOTS"]));
else await serve(Number(env["PORT"]));
process.stdout.write("peer started\n");
process.once("SIGTERM", () => process.exit(0));

async function serve(port: number): Promise<void> {
  const waiting = new Map<string, () => void>();
  const onDone = (id: string): void => waiting.get(id)?.();
  const send = await openProducer(pool, redisUrl, onDone);
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
    if (isAsync) await send({ ...turn, id });
    else await sendAndWait(send, waiting, { ...turn, id });
    response.status(isAsync ? 202 : 200).json(await readMessage(pool, organization, id));
  }
}

async function sendAndWait(
  send: (turn: NewTurn) => Promise<void>,
  waiting: Map<string, () => void>,
  turn: NewTurn,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.set(turn.id, resolve);
  try {
    await send(turn);
    await promise;
  } finally {
    waiting.delete(turn.id);
  }
}
