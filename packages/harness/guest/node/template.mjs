// Loads the agent once. Each fork of this process continues as if it had loaded the agent itself: the starter stops the
// process at each fork, and gives the child its own sandbox without descriptors before it continues. fork.c of
// @dari/native makes the forks.

import crypto from "node:crypto";
import fs from "node:fs";
import timers from "node:timers/promises";
import util from "node:util";
import v8 from "node:v8";
import vm from "node:vm";
import { describeError } from "./errors.mjs";

// Saved before the agent's code runs, which may replace them.
const { randomBytes, randomInt, randomUUID } = crypto;
const { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync, writeSync } = fs;
const { setTimeout: sleep } = timers;
const { setFlagsFromString } = v8;
const { inspect } = util;
const { runInNewContext } = vm;
const { parse, stringify } = JSON;
const { defineProperty } = Object;
const { alloc, from: toBuffer } = Buffer;
const now = performance.now.bind(performance);
const { chdir, exit: endProcess, getActiveResourcesInfo } = process;

const channelFd = 3;
const memoryDirs = ["/tmp", "/dev/shm"];
/** What Node runs or loads in threads of its own from its start, which no fork would have. */
const ownThreads = /--(import|require|loader|experimental-loader|inspect)|(^|\s)-r\s/;
/** How long what the agent has begun while it was loaded may take, in milliseconds. */
const restWithinMs = 1_000;
/** How many results Node draws from the kernel at once: of randomUUID, and of randomInt. */
const drawnAhead = { uuids: 128, integers: 1_024 };
/** After so many runs, V8 has optimized what draws them. */
const optimizedAfter = 5;

/**
 * Returns what `load` resolved to, in each child of this process. Never returns in this process, which the host ends.
 * `modulePath`: of fork.node.
 */
export async function loadOnce(modulePath, ready, load) {
  const { forkForEachTurn, exit } = openModule(modulePath);
  send(ready);
  const frame = receive();
  // Starts the threads of Node's pool, so that only those of the agent are new afterwards.
  await fs.promises.stat("/");
  // With one thread more than this, the starter refuses it.
  const threads = ownThreads.test(process.env.NODE_OPTIONS) ? 0 : countThreads() - 1;
  const before = memoryFiles();
  // Now, because the agent's packages may keep the function.
  const seedRandom = replaceRandom();
  let loaded;
  try {
    loaded = await load(frame, silentChannel);
  } catch (error) {
    send({ t: "error", ...describeError(error) });
    return waitForEnd();
  }
  // For code that is loaded in turns, and for threads.
  setFlagsFromString("--lazy");
  // V8 optimizes the code here, and not in each child.
  for (let i = 0; i < optimizedAfter; i += 1) passDrawnNumbers();
  const isBusy = !(await comesToRest());
  send({ t: "loaded", hasLeft: memoryFiles() !== before, isBusy, threads });
  if (receive().t !== "fork") return waitForEnd();
  // All children would share another directory.
  chdir("/");
  collectGarbage();
  const spare = findSpare();
  forkForEachTurn();
  useOwnIds();
  openSpare(spare);
  seedRandom();
  passDrawnNumbers();
  endBy(exit);
  return loaded;
}

/** The channel of a rehearsal. */
const silentChannel = { send: async () => {}, sendLine: async () => {}, ref() {}, unref() {} };

function openModule(path) {
  const module = { exports: {} };
  process.dlopen(module, path);
  return module.exports;
}

/** Reads and writes without the event loop, which would keep the descriptor. */
function send(frame) {
  writeSync(channelFd, `${stringify(frame)}\n`);
}

function receive() {
  const byte = alloc(1);
  const line = [];
  while (readSync(channelFd, byte) === 1 && byte[0] !== 10) line.push(byte[0]);
  if (byte[0] !== 10) endProcess(1);
  return parse(toBuffer(line).toString());
}

function waitForEnd() {
  receive();
  endProcess(1);
}

/** Resolves with whether nothing is left that a thread of Node's pool does: no fork would get the result. */
async function comesToRest() {
  for (const end = now() + restWithinMs; now() < end; await sleep(10)) {
    if (!getActiveResourcesInfo().some((name) => name.includes("Req"))) return true;
  }
  return false;
}

const countThreads = () => readdirSync("/proc/self/task").length;

/** Returns the files in directories of which each child gets its own, empty ones. */
function memoryFiles() {
  const found = memoryDirs.filter((dir) => statSync(dir, { throwIfNoEntry: false })?.isDirectory());
  return stringify(found.map((dir) => readdirSync(dir).sort()));
}

/** What is garbage now would be copied by each child. */
function collectGarbage() {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  setFlagsFromString("--no-expose-gc");
}

/**
 * Returns the number of the descriptor that Node keeps since it has had a server. When a process has no other left,
 * Node closes this one, by its number.
 */
function findSpare() {
  const numbers = readdirSync("/proc/self/fd").map(Number);
  return numbers.find((fd) => fd > channelFd && readDescriptor(fd) === "/dev/null");
}

function readDescriptor(fd) {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // It was the list's own.
    return undefined;
  }
}

/** A fork has only its first descriptors. */
function openSpare(number) {
  if (number === undefined) return;
  const opened = [];
  do opened.push(openSync("/dev/null", "r"));
  while (opened.at(-1) < number);
  for (const fd of opened) if (fd !== number) closeSync(fd);
}

/** Node reads them once. */
function useOwnIds() {
  const pid = Number(readlinkSync("/proc/self"));
  defineProperty(process, "pid", { value: pid, configurable: true, enumerable: true });
  defineProperty(process, "ppid", { value: 1, configurable: true, enumerable: true });
}

/** Node draws these ahead, and the rest would be the same in all children. */
function passDrawnNumbers() {
  for (let i = 0; i < drawnAhead.uuids; i += 1) randomUUID();
  for (let i = 0; i < drawnAhead.integers; i += 1) randomInt(2);
}

/**
 * Replaces Math.random, whose state all children would share: sfc32, of which two numbers make the 53 bits of a result.
 * Returns the function that seeds it again.
 */
function replaceRandom() {
  let a, b, c, d;
  function next() {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
  function seed() {
    const bytes = randomBytes(16);
    [a, b, c, d] = [0, 4, 8, 12].map((at) => bytes.readInt32LE(at));
    for (let i = 0; i < 12; i += 1) next();
  }
  seed();
  ({ random: Math.random } = {
    random() {
      return ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
    },
  });
  return seed;
}

/** Ends this process at once after its handlers: Node's shutdown would wait for threads that a child does not have. */
function endBy(exit) {
  process.reallyExit = (code) => exit(Number(code) || 0);
  const { emit } = process;
  process.emit = function (name, ...given) {
    const result = emit.call(this, name, ...given);
    if (name === "exit") exit(Number(process.exitCode ?? given[0]) || 0);
    return result;
  };
  // Node would write it after the handlers.
  process.on("uncaughtExceptionMonitor", (error) => {
    if (process.listenerCount("uncaughtException") > 0) return;
    writeSync(2, `${inspect(error)}\n\nNode.js ${process.version}\n`);
  });
}
