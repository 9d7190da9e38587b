// Programs that are started by a small program instead of this process.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { execFile, execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readlinkSync, readdirSync } from "node:fs";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { nativeProblem } from "@dari/native";
import { SandboxStartError } from "../src/index.ts";
import type { StartOptions } from "../src/launch/launch-process.ts";
import { findStarter, openStarter } from "../src/launch/starter.ts";
import { childrenOf, commandOf, countSleepers } from "./sandbox-fixture.ts";

const testThere = nativeProblem() === undefined ? test : test.skip;

const starterPids = (): number[] => childrenOf(process.pid).filter((pid) => commandOf(pid) === "dari-start");

const countSockets = (): number => linksOf(process.pid).filter((link) => link.startsWith("socket:")).length;
let socketsBefore = 0;
beforeEach(() => void (socketsBefore = countSockets()));

/**
 * Each test has its own starters, which would otherwise end with this process and leave the next test no connections.
 */
afterEach(async () => {
  for (const pid of starterPids()) process.kill(pid, "SIGKILL");
  await waitUntil(() => starterPids().length === 0, { what: "the starters to end" });
  await waitUntil(() => countSockets() <= socketsBefore, { what: "the connections to be closed" });
});

const sh = (script: string): StartOptions => ({ command: "/bin/sh", args: ["-c", script], cwd: "/usr" });

testThere("a program has its pipes, directory, session and nothing else, and its end is reported", async () => {
  const starter = openStarter({ pipes: 4, isFollowed: true });
  const script = "read -r word <&4; echo $word $PWD; echo aside >&2; ls /proc/self/fd; env; cat /proc/$$/stat; exit 7";
  const { pid, stdout, stderr, launcherPipes, exited } = await starter.launch(sh(script));
  expect(launcherPipes).toHaveLength(1);
  launcherPipes[0]!.write("told\n");
  const [said, aside, exit] = await Promise.all([text(stdout), text(stderr), exited]);
  const [first, ...rest] = said.trim().split("\n");
  const row = rest.pop()!.split(" ");
  expect({ first, aside, exit }).toEqual({ first: "told /usr", aside: "aside\n", exit: { code: 7, signal: null } });
  // Its pid is also its session's; the last descriptor is the directory that is listed.
  expect([Number(row[0]), Number(row[5])]).toEqual([pid, pid]);
  expect(rest.filter((line) => /^\d+$/.test(line))).toEqual(["0", "1", "2", "3", "4", "5"]);
  expect(rest.filter((line) => line.includes("=")).map((line) => line.split("=")[0])).toEqual(["PWD"]);
});

testThere(
  "many concurrent ones are kept apart; a killed one is reported, one that cannot be executed starts nothing",
  async () => {
    const starter = openStarter({ pipes: 3, isFollowed: true });
    const all = Array.from({ length: 40 }, async (_, n) => {
      const { stdout, exited } = await starter.launch(sh(`echo ${n}; exit ${n}`));
      return [Number(await text(stdout)), (await exited).code];
    });
    expect(await Promise.all(all)).toEqual(Array.from({ length: 40 }, (_, n) => [n, n]));
    const { exited } = await starter.launch(sh("kill -9 $$"));
    expect(await exited).toEqual({ code: null, signal: "SIGKILL" });
    const nothing = starter.launch({ command: "/no/such/program", args: [], cwd: "/" });
    await expect(nothing).rejects.toThrow(SandboxStartError);
    expect(starterPids()).toHaveLength(1);
    await waitUntil(() => childrenOf(starterPids()[0]!).length === 0, { what: "all programs to be forgotten" });
  },
);

testThere("with the starter end its programs, and the next launch has another", async () => {
  const starter = openStarter({ pipes: 3, isFollowed: true });
  const seconds = "86417";
  const { exited } = await starter.launch(sh(`exec sleep ${seconds}`));
  await waitUntil(() => countSleepers(seconds) === 1, { what: "the program to run" });
  const [first] = starterPids();
  process.kill(first!, "SIGKILL");
  expect(await exited).toEqual({ code: null, signal: "SIGKILL" });
  await waitUntil(() => countSleepers(seconds) === 0, { what: "the program to end" });
  const { stdout } = await starter.launch(sh("echo again"));
  expect(await text(stdout)).toBe("again\n");
  expect(starterPids()).not.toContain(first);
});

testThere("other processes that find its socket are ignored", async () => {
  const starter = openStarter({ pipes: 3, isFollowed: true });
  const launch = async (word: string): Promise<string> => text((await starter.launch(sh(`echo ${word}`))).stdout);
  expect(await launch("before")).toBe("before\n");
  const comes = "net.connect(process.argv[1].replace('@', '\\0')).on('close', () => console.log('closed'))";
  const script = `for (let i = 0; i < 3; i++) ${comes}`;
  const stranger = promisify(execFile)(process.execPath, ["-e", script, listenerOf(starterPids()[0]!)]);
  const [{ stdout }, during] = await Promise.all([stranger, launch("during")]);
  expect([stdout, during, await launch("after")]).toEqual(["closed\n".repeat(3), "during\n", "after\n"]);
});

testThere("if connections cannot be made no program gets another's pipes, and running ones continue", async () => {
  const starter = openStarter({ pipes: 3, isFollowed: true });
  const runs = await starter.launch(sh("read -r word <&3; echo $word"));
  const [first] = starterPids();
  await withDescriptors(2, async () => {
    const launches = [1, 2, 3].map((n) => starter.launch(sh(`echo ${n}`)).then(({ stdout }) => text(stdout)));
    const said = await Promise.allSettled(launches);
    expect(said.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  });
  const launches = [1, 2, 3].map(async (n) => text((await starter.launch(sh(`echo ${n}`))).stdout));
  expect(await Promise.all(launches)).toEqual(["1\n", "2\n", "3\n"]);
  runs.channel.write("there\n");
  expect(await text(runs.stdout)).toBe("there\n");
  await waitUntil(() => !starterPids().includes(first!), { what: "the one that has lost count to end" });
  expect(starterPids()).toHaveLength(1);
});

/** Runs `act` while this process has this many descriptors left. */
async function withDescriptors(left: number, act: () => Promise<void>): Promise<void> {
  const limit = (soft: number): unknown =>
    execFileSync("prlimit", ["--pid", String(process.pid), `--nofile=${soft}:`], { stdio: "ignore" });
  const before = Number(/Max open files +(\d+)/.exec(readFileSync("/proc/self/limits", "latin1"))![1]);
  limit(Math.max(...readdirSync("/proc/self/fd").map(Number)) + 20);
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync("/dev/null", "r"));
  } catch {
    for (const fd of taken.splice(0, left)) closeSync(fd);
  }
  try {
    await act();
  } finally {
    for (const fd of taken) closeSync(fd);
    limit(before);
  }
}

testThere(
  "a signal to all of the worker's programs ends neither it nor running programs, unlike a signal to one",
  async () => {
    const starter = openStarter({ pipes: 3, isFollowed: true });
    const runs = await starter.launch(sh("read -r word <&3; echo $word"));
    const [pid] = starterPids();
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const { pgrp } = /^\d+ \(dari-start\) \S \d+ (?<pgrp>\d+)/.exec(stat)!.groups!;
    expect(Number(pgrp)).toBe(pid);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.kill(pid!, signal);
    const { exited } = await starter.launch(sh("kill -TERM $$; exec sleep 60"));
    expect(await exited).toEqual({ code: null, signal: "SIGTERM" });
    runs.channel.write("there\n");
    expect([await text(runs.stdout), starterPids()]).toEqual(["there\n", [pid]]);
  },
);

testThere("one that does not run is not used", async () => {
  const kind = { pipes: 3, isFollowed: true };
  await withDescriptors(2, async () => expect(await findStarter(kind)).toBeUndefined());
  const starter = (await findStarter(kind))!;
  expect(await text((await starter.launch(sh("echo used"))).stdout)).toBe("used\n");
});

/** Returns what each of a process's descriptors is, without those that are closing. */
function linksOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** Returns the name of a process's listening socket, as in the table of sockets. */
function listenerOf(pid: number): string {
  const links = linksOf(pid);
  const rows = readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .map((line) => line.split(/ +/));
  const row = rows.find(([, , , flags, , , inode]) => flags === "00010000" && links.includes(`socket:[${inode}]`));
  return row![7]!;
}
