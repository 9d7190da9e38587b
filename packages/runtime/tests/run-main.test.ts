// The life of a real process under runMain: signals, order of closing, exit codes, the watchdog's last message.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "@jest/globals";

const program = new URL("programs/lives.ts", import.meta.url).pathname;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Started {
  readonly child: ChildProcess;
  says(text: string): Promise<void>;
  readonly ended: Promise<Ended>;
}

function start(behaviour: string): Started {
  const child = spawn(process.execPath, [program, behaviour], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  const waiters: { text: string; resolve: () => void }[] = [];
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
    for (const waiter of waiters) if (out.includes(waiter.text)) waiter.resolve();
  });
  const says = async (text: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiters.push({ text, resolve });
    if (out.includes(text)) resolve();
    await promise;
  };
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, out, err }));
  return { child, says, ended };
}

async function runAndStop(behaviour: string, signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
  const { child, says, ended } = start(behaviour);
  await says("ready");
  child.kill(signal);
  return ended;
}

const drained = "ready\ndraining\nclosed last opened\nclosed first opened\n";

describe("runMain", () => {
  test("ends with 0 when main returns, having closed in reverse", async () => {
    const out = "closed last opened\nclosed first opened\n";
    expect(await start("returns").ended).toEqual({ code: 0, out, err: "" });
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("drains on %s and ends with 0", async (signal) => {
    expect(await runAndStop("drains", signal)).toEqual({ code: 0, out: drained, err: "" });
  });

  test("an abort that main passes on is not a failure", async () => {
    expect(await runAndStop("rethrows")).toEqual({ code: 0, out: drained, err: "" });
  });

  test("reports a failure with its cause, without passwords, closes, and ends with 1", async () => {
    const { code, out, err } = await start("throws").ended;
    expect([code, out]).toEqual([1, "closed last opened\nclosed first opened\n"]);
    expect(err).toMatch(/Error: boom[\s\S]*caused by: Error: at postgres:\/\/a:\*\*\*@h/);
  });

  test("prints settings that cannot be used without a stack", async () => {
    const { code, err } = await start("config").ended;
    expect([code, err]).toEqual([1, "The settings cannot be used:\n- PORT: is required\n"]);
  });

  test("a second signal exits immediately", async () => {
    const { child, says, ended } = start("patient");
    await says("ready");
    child.kill("SIGTERM");
    await says("draining");
    child.kill("SIGINT");
    expect((await ended).code).toBe(130);
  });

  test("the echo of a signal is not a second one", async () => {
    const { child, says, ended } = start("drains");
    await says("ready");
    child.kill("SIGINT");
    child.kill("SIGTERM");
    expect(await ended).toEqual({ code: 0, out: drained, err: "" });
  });

  test("the watchdog names what is still open", async () => {
    const { code, err } = await runAndStop("leaks");
    expect(code).toBe(1);
    expect(err).toMatch(/Not ended 300 ms after the stop\. Still open: .*TCP/);
  });

  test("timers that no one waits for are not a failure once all is closed", async () => {
    const { code, err } = await runAndStop("forgets-a-timer");
    expect({ code, err }).toEqual({ code: 0, err: expect.stringMatching(/Still open: Timeout x 1\. Exiting/) });
  });

  test.each(["stuck", "stuck-in-close"])("a program that never returns (%s) does not live on", async (behaviour) => {
    expect((await runAndStop(behaviour)).code).not.toBe(0);
  });
});
