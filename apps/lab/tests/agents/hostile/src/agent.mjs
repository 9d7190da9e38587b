// A malicious agent. Its prompt is one [verb, ...arguments], its answer the result.

import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { request } from "node:http";
import net from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The directory of the image, and the path of this file in it. */
const image = (function above(dir) {
  return fs.existsSync(join(dir, "src/agent.mjs")) ? dir : above(dirname(dir));
})(dirname(fileURLToPath(import.meta.url)));
const self = join(image, "src/agent.mjs");

const attempt = (action) => {
  try {
    return action() ?? "done";
  } catch (error) {
    return error.code ?? String(error);
  }
};
const forever = () => new Promise((resolve) => setTimeout(resolve, 600_000));

/** Every path that can be listed, except in the system's own directories. */
function* walk(dir, depth = 0) {
  const entries = attempt(() => fs.readdirSync(dir, { withFileTypes: true }));
  if (!Array.isArray(entries) || depth > 12) return;
  for (const entry of entries) {
    const path = `${dir === "/" ? "" : dir}/${entry.name}`;
    if (["/proc", "/usr", "/dev", "/sys"].includes(path)) continue;
    yield path;
    if (entry.isDirectory()) yield* walk(path, depth + 1);
  }
}

const connect = (host, port) =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 2_000 });
    const end = (word) => (socket.destroy(), resolve(word));
    socket.once("connect", () => end("connected"));
    socket.once("timeout", () => end("timeout"));
    socket.once("error", (error) => end(error.code));
  });

const tunnel = (host, port) =>
  new Promise((resolve) => {
    const asked = request(process.env.HTTP_PROXY, { method: "CONNECT", path: `${host}:${port}` });
    asked.once("connect", (response, socket) => (socket.destroy(), resolve(response.statusCode)));
    asked.once("error", (error) => resolve(error.code));
    asked.end();
  });

const python = (source) => String(spawnSync("python3", ["-I", "-c", source], { encoding: "utf8" }).stdout).trim();

const verbs = {
  /** `~` is its home. */
  write: (path, text) => attempt(() => fs.writeFileSync(path.replace(/^~/, process.env.HOME), text)),
  find: (name) => [...walk("/")].filter((path) => path.includes(name)),
  read: (...paths) => paths.map((path) => attempt(() => fs.readFileSync(path, "utf8"))),
  /** The environments and command lines of all visible processes. */
  spy() {
    const listed = attempt(() => fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)));
    const pids = Array.isArray(listed) ? listed : [1, process.ppid, process.pid];
    const texts = pids.flatMap((pid) =>
      ["environ", "cmdline"].map((name) => attempt(() => fs.readFileSync(`/proc/${pid}/${name}`, "utf8"))),
    );
    return { processes: pids.length, text: texts.join("\n") + JSON.stringify(process.env) };
  },
  async reach(...targets) {
    const said = [];
    for (const [host, port] of targets) said.push([await connect(host, port), await tunnel(host, port)]);
    return said;
  },
  async forkBomb() {
    const refused = Promise.withResolvers();
    const one = () => {
      const child = spawn("sh", ["-c", "sleep 300 & sleep 300"], { stdio: "ignore" });
      child.once("error", refused.reject);
      child.once("spawn", () => setImmediate(one));
    };
    one();
    await refused.promise;
  },
  async memoryBomb() {
    const grow = "held = []\nwhile True: held.append(bytearray(64 << 20))";
    const ends = Array.from({ length: 4 }, () => {
      const child = spawn("python3", [
        "-I",
        "-c",
        `${grow.replace("True", "len(held) < 7")}\nimport time; time.sleep(600)`,
      ]);
      return new Promise((_resolve, reject) =>
        child.once("exit", (code, signal) => reject(new Error(`${signal ?? code}`))),
      );
    });
    await Promise.all(ends);
  },
  async fillDisk() {
    const chunk = Buffer.alloc(8 << 20, 7);
    for (let i = 0; ; i++) {
      fs.writeFileSync(`fill-${i % 32}`, chunk, { flag: "a" });
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
  fillTmp() {
    const chunk = Buffer.alloc(8 << 20, 7);
    for (;;) fs.writeFileSync("/tmp/fill", chunk, { flag: "a" });
  },
  /** Fills a file that has no name. */
  async fillUnnamed() {
    const chunk = Buffer.alloc(8 << 20, 7);
    const file = fs.openSync("unnamed", "w");
    fs.unlinkSync("unnamed");
    for (;;) {
      fs.writeSync(file, chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
  /** Allocates memory that belongs to no process. */
  async shareMemory() {
    const hold = "import os\nheld = os.memfd_create('held')\nwhile True: os.write(held, bytes(8 << 20))";
    const child = spawn("python3", ["-I", "-c", hold]);
    await new Promise((_resolve, reject) =>
      child.once("exit", (code, signal) => reject(new Error(`${signal ?? code}`))),
    );
  },
  leakDescriptors() {
    for (;;) fs.openSync(self);
  },
  async daemon(mark) {
    const loop = `while :; do sleep 0.05; done # ${mark}`;
    spawn("sh", ["-c", `setsid sh -c '${loop}' </dev/null >/dev/null 2>&1 & exit 0`], { stdio: "ignore" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    return "started";
  },
  ptrace: () =>
    python(
      "import ctypes, errno, os\n" +
        "libc = ctypes.CDLL(None, use_errno=True)\n" +
        "libc.ptrace(16, os.getppid(), 0, 0)\n" +
        "print(errno.errorcode[ctypes.get_errno()])",
    ),
  links: (host) => [
    attempt(() => fs.linkSync(self, "hard")),
    attempt(() => fs.linkSync("/etc/passwd", "passwd")),
    attempt(() => fs.symlinkSync("/etc/passwd", "soft-passwd")),
    attempt(() => fs.symlinkSync(`../../../../../../..${host}`, "soft-host")),
    attempt(() => fs.symlinkSync(host.slice(0, host.lastIndexOf("/")), "soft-dir")),
    attempt(() => fs.symlinkSync("/proc/1/root", "soft-root")),
  ],
  writeImage: () => [
    attempt(() => fs.writeFileSync(self, "export const agent = () => 'changed'")),
    attempt(() => fs.writeFileSync(join(image, "new.mjs"), "")),
    attempt(() => fs.unlinkSync(self)),
    attempt(() => fs.chmodSync(self, 0o777)),
    attempt(() => fs.renameSync(join(image, "src"), join(image, "other"))),
  ],
  flood: (bytes) => attempt(() => `${spawnSync("head", ["-c", `${bytes}`, "/dev/zero"], { stdio: "inherit" }).status}`),
  forever,
};

export async function agent(prompt) {
  const [verb, ...args] = JSON.parse(prompt);
  return JSON.stringify((await verbs[verb](...args)) ?? null);
}
