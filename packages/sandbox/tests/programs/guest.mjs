// The program that the conformance suite runs in every sandbox: reports what it sees on its channel (descriptor 3).
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import net from "node:net";

const channel = new net.Socket({ fd: 3, readable: true, writable: true });
const say = (value) => channel.write(`${JSON.stringify(value)}\n`);
const attempt = (action) => {
  try {
    action();
    return "done";
  } catch (error) {
    return error.code;
  }
};

const readable = (path) => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

const modes = {
  see: () =>
    say({
      env: process.env,
      cwd: process.cwd(),
      uid: process.getuid(),
      here: readdirSync("."),
      processes: readable("/proc").filter((name) => /^\d+$/.test(name)).length,
    }),
  echo: () => channel.on("data", (data) => channel.write(data)),
  print: () => {
    process.stdout.write("to stdout ä\n");
    process.stderr.write("to stderr ö\n");
    process.exit(7);
  },
  die: () => process.kill(process.pid, "SIGKILL"),
  daemons: (seconds) => {
    for (let i = 0; i < 50; i++) spawnSync("setsid", ["--fork", "sleep", seconds], { stdio: "ignore" });
    say("started");
    setInterval(() => {}, 1000);
  },
  leaveDaemons: (seconds) => {
    for (let i = 0; i < 5; i++) spawnSync("setsid", ["--fork", "sleep", seconds], { stdio: "ignore" });
    process.exit(0);
  },
  // Opens for appending and writes nothing: a hole found in a sandbox must not change the host.
  write: (...paths) => {
    const open = (path) => attempt(() => closeSync(openSync(path, "a")));
    say(Object.fromEntries(paths.map((path) => [path, open(path)])));
  },
  read: (...paths) => say(Object.fromEntries(paths.map((path) => [path, attempt(() => readFileSync(path))]))),
  connect: (port) => {
    const socket = net.connect(Number(port), "127.0.0.1");
    socket.once("connect", () => say("connected"));
    socket.once("error", (error) => say(error.code));
  },
};

const [mode, ...rest] = process.argv.slice(2);
modes[mode](...rest);
