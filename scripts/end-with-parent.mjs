// Preloaded into a program we run: file descriptor 3 is a pipe over which its parent forwards signals by name, and
// which closes when the parent is gone, however it went. A program that listens for `forwardedSignal` (run-main.ts)
// takes it as a request to stop that may come any number of times; another one gets the signal.

import { Socket } from "node:net";

const pipe = new Socket({ fd: 3, readable: true, writable: false });
const forward = (name) => process.emit("forwardedSignal", name) || process.kill(process.pid, name);
pipe.setEncoding("utf8");
pipe.on("data", (names) => names.trim().split("\n").forEach(forward));
pipe.on("error", () => {});
pipe.on("close", () => forward("SIGTERM"));
pipe.unref();
