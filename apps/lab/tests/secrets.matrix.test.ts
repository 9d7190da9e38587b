// Agents that leak their secrets in every way they can: the secrets appear only in the agent's own workspace.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import type { StreamedEvent } from "@dari/contract";
import { describeWith, waitUntil } from "@dari/testkit";
import { deploy, ended, filesOf, manifestFile, textPart } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { startRedisServer, type RedisServer } from "../src/redis-server.ts";
import { newSecret, tracesOf } from "../src/secret-traces.ts";

const credential = newSecret();
const ofSession = newSecret();

const traces = [credential, ofSession].flatMap(tracesOf);

const found = (text: string): string[] => traces.filter((trace) => text.includes(trace));

describeWith("redis", "secrets", () => {
  let redis: RedisServer;
  let fleet: Fleet;

  beforeAll(async () => {
    redis = await startRedisServer();
    fleet = await startFleet({ redisUrl: redis.url, env: { DARI_LOG_LEVEL: "debug" } });
    await fleet.client.putCredential("API_SECRET", { value: credential });
  }, 120_000);

  afterAll(async () => {
    expect(await fleet.close()).toEqual(noRemains);
    await redis[Symbol.asyncDispose]();
  }, 120_000);

  const answer = async (path: string): Promise<string> => {
    const response = await fetch(`${fleet.apiUrl}/v1/${path}`, {
      headers: { authorization: `Bearer ${fleet.apiKey}` },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text;
  };

  describe.each(["agent.mjs", "agent.py"])("of %s", (file) => {
    let agentId: string;

    beforeAll(async () => {
      const files = filesOf(join(import.meta.dirname, "agents/leaky"));
      const manifest = manifestFile({ entrypoint: `${file}:agent`, secrets: ["API_SECRET", "SESSION_SECRET"] });
      agentId = (await deploy(fleet, { ...manifest, [file]: files[file]! })).agentId;
    }, 120_000);

    test("are not shown by half if the turn is stopped within one", async () => {
      const { client } = fleet;
      const session = await client.createSession(agentId, { secrets: { SESSION_SECRET: ofSession } });
      const { id } = await client.sendMessageAsync(session.id, { parts: [textPart("half")] });
      const begun = new Set<string>();
      for await (const { type, data } of client.streamMessage(id)) {
        if ("text" in data && String(data.text).startsWith("half: ")) begun.add(type);
        if (begun.size === 2) break;
      }
      await client.cancelMessage(id);
      const record = await ended(fleet, id);
      expect(record.status).toBe("cancelled");
      expect(await answer(`messages/${id}/logs`)).toContain("half: ");
      for (const path of [`messages/${id}/logs`, `messages/${id}/stream`])
        expect(found(await answer(path))).toEqual([]);
    }, 60_000);

    test.each(["answer", "throw"])(
      "are nowhere but in its workspace, when it is to %s",
      async (prompt) => {
        const { client } = fleet;
        const session = await client.createSession(agentId, { secrets: { SESSION_SECRET: ofSession } });
        const sent = await client.sendMessageAsync(session.id, { parts: [textPart(prompt)] });
        const shown: StreamedEvent[] = [];
        for await (const event of client.streamMessage(sent.id)) shown.push(event);
        const record = await ended(fleet, sent.id);
        expect(record.status).toBe(prompt === "answer" ? "completed" : "failed");

        const texts: Record<string, string> = { stream: JSON.stringify(shown) };
        const joined = (type: string, stream?: string): string =>
          shown
            .filter((event) => event.type === type && (event.data as { stream?: string }).stream === stream)
            .map((event) => (event.data as { text?: string }).text)
            .join("");
        texts["previews"] = joined("assistant.text_delta");
        texts["previews of stdout"] = joined("log", "stdout");
        texts["previews of stderr"] = joined("log", "stderr");
        const [ofMessage, ofSession_] = [`messages/${sent.id}`, `sessions/${session.id}`];
        const paths = [
          ofMessage,
          `${ofMessage}/logs`,
          `${ofMessage}/files`,
          `${ofMessage}/diff`,
          `${ofMessage}/stream`,
        ];
        for (const path of [...paths, ofSession_, `${ofSession_}/messages`, `${ofSession_}/events`]) {
          texts[path] = await answer(path);
        }
        const calls = shown.flatMap((event) => (event.type === "tool.call_completed" ? [event.data.call_id] : []));
        for (const id of calls) texts[`call ${id}`] = await answer(`${ofMessage}/tool-calls/${id}`);
        const large = Object.values(texts).filter((text) => text.includes('"value_id"'));
        expect(large).toHaveLength(6);
        texts["transcript"] = await answer(`${ofSession_}/transcript`);
        texts["audit"] = await answer("organizations/current/audit-log");
        texts["redis"] = await readAll(redis.url);
        // A program writes the lines of its log in groups. The line of a turn's end is the turn's last one.
        const logged = (): string[] =>
          fleet.workers[0]!.readLog()
            .split("\n")
            .filter((line) => line.includes(sent.id));
        const isLogged = (): boolean => logged().some((line) => line.includes('"msg":"turn.finished"'));
        await waitUntil(isLogged, { what: "the worker's log to name the turn's end" });
        for (const program of [fleet.api, fleet.reconciler, ...fleet.workers]) texts[program.name] = program.readLog();
        const leaks = Object.entries(texts).map(([name, text]) => [name, found(text)]);
        expect(leaks.filter(([, one]) => one!.length > 0)).toEqual([]);

        for (const name of ["previews", "previews of stdout", "previews of stderr"]) {
          expect(texts[name]!.split("[redacted:API_SECRET]").length).toBeGreaterThan(6);
          expect(texts[name]!.split("[redacted:SESSION_SECRET]").length).toBeGreaterThan(6);
        }
        expect(texts[`${ofMessage}/logs`]).toContain("[redacted:SESSION_SECRET]");
        const events = shown.filter((event) => event.type === "agent.event");
        expect(events).toHaveLength(6);
        expect(shown.filter((event) => event.type.startsWith("tool."))).toHaveLength(24);
        if (prompt === "throw") {
          expect(record.output?.error?.message).toContain("[redacted:API_SECRET] ");
          return;
        }
        expect(record.files_changed.map(({ path }) => path).sort()).toEqual([
          "/named-[redacted:API_SECRET].txt",
          "/secret.txt",
        ]);
        expect(await answer(`${ofSession_}/files/content?path=/secret.txt`)).toContain(credential);
      },
      120_000,
    );
  });
});

/** Everything in a Redis, as it is sent on the wire. */
async function readAll(url: string): Promise<string> {
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    const ask = async (commands: readonly string[]): Promise<string> => {
      socket.write([...commands, "PING"].map((command) => `${command}\r\n`).join(""));
      let reply = "";
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        reply += (chunk as Buffer).toString();
        if (reply.endsWith("+PONG\r\n")) return reply;
      }
      throw new Error("Redis hung up");
    };
    const keys = (await ask(["KEYS *"])).split("\r\n").filter((line) => /^[^$*+]/.test(line));
    if (keys.length === 0) throw new Error("Redis holds nothing");
    const commands = keys.flatMap((key) => [`HGETALL ${key}`, `XRANGE ${key} - +`, `ZRANGE ${key} 0 -1`, `GET ${key}`]);
    return await ask(commands);
  } finally {
    socket.destroy();
  }
}
