// Modules that do harm while they are loaded, as text: node-hostile.nightly.test.ts loads them.

/** Every row begins with it. What the row's code leaves in `seen` is part of the answer. */
export const before = `
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { Worker } from "node:worker_threads";
const { stringify } = JSON;
const seen = {};
let turns = 0;
const forge = (threads) => fs.writeSync(3, stringify({ t: "loaded", hasLeft: false, isBusy: false, threads }) + "\\n");
const countThreads = () => fs.readdirSync("/proc/self/task").length;
let look = () => ({});
export const agent = async () => {
  const found = await look();
  return stringify({ turns: (turns += 1), cwd: process.cwd(), ...seen, ...found });
};
`;
const spinner = `
const shared = new Int32Array(new SharedArrayBuffer(8));
const getData = "const { workerData: w } = require('node:worker_threads');";
const spin = "for (;;) { Atomics.add(w, 0, 1); Atomics.wait(w, 1, 0, 20); }";
new Worker(getData + spin, { eval: true, workerData: shared }).unref();
while (Atomics.load(shared, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 5));`;

/** `[title, code, why it is not forked]` */
export const unforkable = [
  ["a promise that never settles", "await new Promise(() => {});", /cannot be loaded|says what no guest says/],
  ["an endless loop after a forged frame", "forge(countThreads() - 1); for (;;);", /not fork/],
  ["rubbish on the channel", 'fs.writeSync(3, "rubbish\\n");', /says what no guest says/],
  ["a forged number of threads", "forge(99);", /threads/],
  ["a thread that it does not report", spinner, /threads/],
  ["a closed channel", "fs.closeSync(3);", /cannot be loaded|says what no guest says/],
  ["closed descriptors", "for (let fd = 0; fd < 6; fd += 1) fs.closeSync(fd);", /cannot be loaded|no guest says/],
  ["an abort", "process.abort();", /cannot be loaded|no guest says/],
  ["an exit", "process.exit(0);", /cannot be loaded|no guest says/],
  ["another user", "process.setuid(0);", /cannot be loaded/],
  ["a watched directory", 'fs.watch("/", () => {}).unref();', /opened files or connections/],
  ["an open directory", 'globalThis.kept = fs.opendirSync("/");', /opened files or connections/],
  [
    "a Unix socket without a file",
    'const net = await import("node:net"); await new Promise((r) => net.createServer().listen("\\0x", r).unref());',
    /opened files or connections/,
  ],
  [
    "a socket for datagrams",
    `const udp = await import("node:dgram");
     await new Promise((r) => udp.createSocket("udp4").bind(0, "127.0.0.1", r));`,
    /opened files or connections/,
  ],
  ["a file in /dev/shm", 'fs.writeFileSync("/dev/shm/left", "");', /files in .tmp/],
  ["a full /tmp", 'fs.writeFileSync("/tmp/left", Buffer.alloc(2 ** 24));', /files in .tmp/],
  ["a daemon", 'spawnSync("/bin/sh", ["-c", "sleep 600 >/dev/null 2>&1 &"]);', /started a process/],
];

const replaced = `
const names = {
  fs: Object.keys(fs).filter((name) => name.endsWith("Sync") && name !== "readSync"),
  crypto: ["randomBytes", "randomInt", "randomUUID"],
  net: ["Socket", "connect"],
  "timers/promises": ["setTimeout"],
  util: ["inspect"],
  v8: ["setFlagsFromString"],
  vm: ["runInNewContext"],
};
const refuse = () => { throw new Error("replaced"); };
fs.readSync = refuse;
for (const [module, functions] of Object.entries(names)) {
  const { default: all } = await import("node:" + module);
  for (const name of functions) all[name] = refuse;
}
syncBuiltinESMExports();
for (const name of ["getActiveResourcesInfo", "dlopen", "exit", "reallyExit"]) process[name] = refuse;
process.chdir = () => {};
JSON.parse = JSON.stringify = performance.now = refuse;
`;

/** `[title, code, part of each turn's answer]` */
export const forked = [
  [
    "nothing, with fetch loaded before it",
    'seen.isFetchLoaded = process.moduleLoadList.some((name) => name.endsWith("undici/undici"));',
    { isFetchLoaded: true },
  ],
  [
    "a server that was closed, for which Node keeps a descriptor",
    `const net = await import("node:net");
     await new Promise((r) => { const server = net.createServer().listen(0, "127.0.0.1", () => server.close(r)); });
     const linkOf = (fd) => { try { return fs.readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } };
     const spare = fs.readdirSync("/proc/self/fd").find((fd) => fd > 3 && linkOf(fd) === "/dev/null");
     look = () => ({ kept: linkOf(spare) });`,
    { kept: "/dev/null" },
  ],
  [
    "timers",
    `setInterval(() => (seen.ticks = "some"), 1); setTimeout(() => {}, 1e6);
     look = () => new Promise((resolve) => setTimeout(() => resolve({ ticks: seen.ticks }), 10));`,
    { ticks: "some" },
  ],
  [
    "shared memory of threads",
    `const counter = new Int32Array(new SharedArrayBuffer(4)); look = () => ({ count: Atomics.add(counter, 0, 1) });`,
    { count: 0 },
  ],
  [
    "a thread that a forged frame hides",
    `${spinner} forge(countThreads() - 1);
     const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
     look = async () => {
       const first = Atomics.load(shared, 0);
       await pause();
       return { runs: Atomics.load(shared, 0) !== first };
     };`,
    { runs: false },
  ],
  [
    "replaced functions of Node",
    `Math.random = () => 0.5; globalThis.fetch = async () => "mine";
     process.exit = process.reallyExit = () => {}; process.emit = () => true;
     look = async () => ({ random: Math.random(), fetched: await fetch("x") });`,
    { random: 0.5, fetched: "mine" },
  ],
  ["everything replaced that the guest uses for a fork", replaced, { cwd: "/" }],
  [
    "another umask, directory and title",
    'process.umask(0o13); process.chdir("/tmp"); process.title = "x"; look = () => ({ umask: process.umask() });',
    { umask: 0o13 },
  ],
  [
    "attempts at namespaces",
    `const tries = [["unshare", "-U", "true"], ["unshare", "-Urm", "true"], ["mount", "-t", "tmpfs", "x", "/tmp"]];
     const fail = () => tries.map(([name, ...words]) => spawnSync(name, words).status !== 0);
     seen.early = fail(); look = () => ({ late: fail() });`,
    { early: [true, true, true], late: [true, true, true] },
  ],
  ["closed streams", "for (let fd = 0; fd < 3; fd += 1) fs.closeSync(fd);", {}],
];
