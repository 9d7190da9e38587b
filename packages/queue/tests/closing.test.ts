// Errors that BullMQ and ioredis raise by themselves must not end a process: connections that close while Redis is
// silent, and an opening that got no answer. Run in separate processes, which an unhandled error would end.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { describeWith, requireService, startFaultProxy, waitUntil, type FaultProxy } from "@dari/testkit";
import { openTurnQueue } from "../src/index.ts";

const urlOf = (...path: string[]): string => pathToFileURL(join(import.meta.dirname, "..", ...path)).href;
/** Ends with the first piece. */
const endsAtOnce = (): boolean => true;

const info = "\r\ninfo\r\n";

interface Program {
  /** Resolves when the program reports that it is open. */
  readonly opened: Promise<unknown>;
  /** Tells it to close, and returns how it ended. */
  close(): Promise<{ readonly code: unknown; readonly said: string }>;
}

/**
 * Runs `open`, which can use `queue` (this package), `url`, `location` and `waitUntil`. Its value closes everything.
 */
function start(url: string, open: string): Program {
  const script = `
    import { once } from "node:events";
    const queue = await import("${urlOf("src", "index.ts")}");
    const { waitUntil } = await import("${urlOf("..", "testkit", "src", "wait-until.ts")}");
    const url = ${JSON.stringify(url)};
    const location = { redisUrl: url, prefix: "closing", pool: "default" };
    const close = await (async () => { ${open} })();
    console.log("open");
    await once(process.stdin, "data");
    await close();
    // The process ends by itself, after all timers of commands that were running.
    process.stdin.destroy();`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", script], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said = text(child.stderr);
  return {
    opened: once(child.stdout, "data"),
    async close() {
      child.stdin.end("close\n");
      const [code] = (await once(child, "exit")) as [unknown];
      return { code, said: await said };
    },
  };
}

describeWith("redis", "a process whose Redis falls silent", () => {
  async function behindProxy(): Promise<{ proxy: FaultProxy; url: string }> {
    const url = new URL(requireService("redis").url);
    const proxy = await startFaultProxy({ port: Number(url.port) });
    url.port = String(proxy.port);
    return { proxy, url: url.href };
  }

  test.each([
    ["a source", "const one = queue.openTurnSource(location, { lockMs: 3_000 }); return () => one.close();"],
    ["a queue", "const one = queue.openTurnQueue(location); return () => one.close();"],
    [
      "a source under way",
      `const one = queue.openTurnSource(location, { lockMs: 3_000 }); one.next().catch(() => undefined);
        return () => one.close();`,
    ],
  ])("%s that never got an answer closes, and the process ends with exit code 0", async (_what, open) => {
    const { proxy, url } = await behindProxy();
    await using _ = proxy;
    proxy.blackHole();
    const program = start(url, open);
    await program.opened;
    expect(await program.close()).toEqual({ code: 0, said: "" });
  });

  test("a source whose connections fall silent closes, and the process ends with exit code 0", async () => {
    const { proxy, url } = await behindProxy();
    await using _ = proxy;
    const hears = (): Promise<void> => proxy.hears(info);
    const first = hears();
    const program = start(
      url,
      "const one = queue.openTurnSource(location, { lockMs: 3_000 }); return () => one.close();",
    );
    await first;
    // Each of the two connections is asked twice: by ioredis, which gets an answer, and then by BullMQ.
    for (let i = 0; i < 3; i++) await hears();
    proxy.blackHole();
    await program.opened;
    expect(await program.close()).toEqual({ code: 0, said: "" });
  });

  test("closing during a repeated subscription succeeds", async () => {
    const { proxy, url } = await behindProxy();
    await using _ = proxy;
    const program = start(
      url,
      `const sender = queue.connectSender(url);
        const one = queue.createRedisNotifier(sender, "closing-${randomUUID()}");
        one.subscribe("message", "msg_1", () => undefined);
        await waitUntil(() => one.available, { what: "Redis" });
        return () => one.close().then(() => sender.close());`,
    );
    await program.opened;
    const dropped = proxy.dropReply({ request: "subscribe", endsReply: endsAtOnce, then: "hold" });
    proxy.cut();
    await dropped;
    expect(await program.close()).toEqual({ code: 0, said: "" });
  });

  test("a queue that met a silence while it opened works once Redis answers", async () => {
    const { proxy, url } = await behindProxy();
    await using _ = proxy;
    // The answer tells ioredis that Redis is ready; the next question gets none.
    const dropped = proxy
      .hears(info)
      .then(() => proxy.dropReply({ request: "ping", endsReply: endsAtOnce, then: "hold" }));
    const queue = openTurnQueue({ redisUrl: url, prefix: `closing-${randomUUID()}`, pool: "default" });
    try {
      await dropped;
      await waitUntil(async () => queue.available && (await queue.counts().catch(() => undefined)) !== undefined, {
        what: "the queue to work",
        timeoutMs: 15_000,
      });
      const turn = { organizationId: newId("organization"), sessionId: newId("session"), messageId: newId("message") };
      await queue.deliver([{ ...turn, dispatchNumber: 1, attemptsLeft: 1 }]);
      expect(await queue.counts()).toMatchObject({ waiting: 1 });
      await queue.board.obliterate({ force: true });
    } finally {
      await queue.close();
    }
  });
});
