// An agent that looks for what earlier turns have left, and then leaves a canary wherever it can write. A canary is
// `prefix` and 32 hexadecimal digits. The prompt is JSON: {canary, searchesMemory, exitCode?}.

import { spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

// Joined at run time, so that this source text is no canary.
const prefix = ["dari", "canary", ""].join("-");
const pattern = new RegExp(`${prefix}[0-9a-f]{32}`, "g");
const port = 47_111;
const places = ["/workspace", "/state", "/tmp", "/dev/shm", "/var/tmp", "/run", "/dev/mqueue", "/agent"];
const envName = "DARI_LEFT";
// What an import keeps: functions that a package could have saved, and objects that turns can write to.
const { random } = Math;
const kept = { values: [] };
export const exported = {};
(Math.random(), crypto.randomUUID(), crypto.randomInt(9), crypto.randomBytes(9));

export async function agent(prompt) {
  const { canary, searchesMemory, exitCode } = JSON.parse(prompt);
  const own = canary.slice(prefix.length);
  const found = [...(await look()), ...(searchesMemory ? searchMemory(own) : [])];
  const answer = { found, draws: draw(), pid: process.pid, state: describeState() };
  await leave(canary);
  if (exitCode !== undefined) process.exit(exitCode);
  return JSON.stringify(answer);
}

/** Returns where something is that an earlier turn could have left. */
async function look() {
  const found = [];
  const check = (where, text) => pattern.test(String(text)) && found.push(`${where}: ${text}`.slice(0, 200));
  // A timer or a listener of an earlier turn would act now.
  await sleep(1);
  check("module", JSON.stringify([kept, exported]));
  check("global", globalThis.left);
  for (const prototype of [Object.prototype, Array.prototype, Function.prototype, Promise.prototype]) {
    check("prototype", prototype.left);
  }
  check("environment", JSON.stringify(process.env));
  check("environ", fs.readFileSync("/proc/self/environ", "latin1"));
  check("title", process.title);
  for (const place of places) searchFiles(place, check);
  for (const pid of fs.readdirSync("/proc").filter((name) => Number(name) > 0)) {
    check("process", readOrNothing(`/proc/${pid}/cmdline`));
  }
  check("sockets", readOrNothing("/proc/net/unix"));
  for (const fd of fs.readdirSync("/proc/self/fd")) check("descriptor", linkOf(`/proc/self/fd/${fd}`));
  if (!(await canListen())) found.push(`port ${port} is in use`);
  return found;
}

function searchFiles(dir, check) {
  let entries = [];
  try {
    entries = fs.readdirSync(dir, { withFileTypes: true });
  } catch {
    // It does not exist or is closed to this user.
  }
  for (const entry of entries) {
    const path = `${dir}/${entry.name}`;
    check("name", path);
    if (entry.isDirectory()) searchFiles(path, check);
    else if (entry.isFile()) check("file", `${path} ${readOrNothing(path)}`);
  }
}

function readOrNothing(path) {
  try {
    return fs.readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function linkOf(path) {
  try {
    return fs.readlinkSync(path);
  } catch {
    return "";
  }
}

const canListen = () =>
  new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

/** Searches all writable memory of this process for canaries that are not its own. */
function searchMemory(own) {
  const found = new Set();
  const memory = fs.openSync("/proc/self/mem", "r");
  const piece = Buffer.alloc(2 ** 20);
  const text = Buffer.from(prefix);
  for (const line of fs.readFileSync("/proc/self/maps", "latin1").split("\n")) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    if (range === null) continue;
    const [from, to] = [Number.parseInt(range[1], 16), Number.parseInt(range[2], 16)];
    for (let at = from; at < to; at += piece.length - 64) searchPiece(at, Math.min(piece.length, to - at));
  }
  fs.closeSync(memory);
  return [...found].map((digits) => `memory: ${digits}`);

  function searchPiece(at, length) {
    let bytes = 0;
    try {
      bytes = fs.readSync(memory, piece, 0, length, at);
    } catch {
      // The kernel keeps this memory to itself.
    }
    const read = piece.subarray(0, bytes);
    for (let i = read.indexOf(text); i >= 0; i = read.indexOf(text, i + 1)) {
      const digits = read.toString("latin1", i + text.length, i + text.length + 32);
      if (/^[0-9a-f]{32}$/.test(digits) && digits !== own) found.add(digits);
    }
    piece.fill(0);
  }
}

function draw() {
  return [
    Math.random(),
    random(),
    crypto.randomUUID(),
    crypto.randomInt(2 ** 47),
    crypto.randomBytes(16).toString("hex"),
    Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex"),
    globalThis.crypto.randomUUID(),
  ].map(String);
}

/** Returns what turns can change and every turn must find unchanged. */
function describeState() {
  const descriptors = fs.readdirSync("/proc/self/fd").map((fd) => linkOf(`/proc/self/fd/${fd}`));
  const count = descriptors.filter((target) => /^(socket|pipe)/.test(target)).length;
  const { umask } = process;
  const [signals, priority] = [process.eventNames().sort().map(String), os.getPriority()];
  return JSON.stringify({ cwd: process.cwd(), umask: umask(), count, signals, priority, uid: process.getuid() });
}

async function leave(canary) {
  kept.values.push(canary);
  Object.assign(exported, { left: canary });
  globalThis.left = canary;
  for (const prototype of [Object.prototype, Array.prototype, Function.prototype, Promise.prototype]) {
    Object.defineProperty(prototype, "left", { value: canary, configurable: true });
  }
  process.env[envName] = canary;
  Math.random = () => 0.5;
  setInterval(() => kept.values.push(canary), 1);
  process.on("SIGUSR2", () => kept.values.push(canary));
  for (const place of places) {
    try {
      fs.writeFileSync(`${place}/${canary}`, canary);
      // Its descriptor stays open.
      fs.openSync(`${place}/${canary}`, "r+");
    } catch {
      // Read-only, or not there.
    }
  }
  spawn("/bin/sleep", ["600", canary], { detached: true, stdio: "ignore" })
    .on("error", () => {})
    .unref();
  await new Promise((resolve) => net.createServer().listen(`\0${canary}`, resolve).unref());
  await new Promise((resolve) => net.createServer().listen(port, "127.0.0.1", resolve).unref());
  process.umask(0o13);
  process.chdir("/tmp");
  os.setPriority(19);
  process.title = canary;
}
