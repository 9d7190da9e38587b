// Preloaded into a program we run: file descriptor 3 is a pipe that closes when its parent is gone, however it went.
// The program is then asked to stop as by Ctrl-C, so that a killed `npm start` leaves no platform behind.

import { Socket } from "node:net";

const pipe = new Socket({ fd: 3, readable: true, writable: false });
pipe.on("error", () => {});
pipe.on("close", () => process.kill(process.pid, "SIGTERM"));
pipe.resume().unref();
