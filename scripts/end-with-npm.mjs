// Preloaded into a program that has replaced run.mjs: nothing is between it and npm. Signals reach it directly. If npm
// is gone, it stops as after a signal that end-with-parent.mjs forwards.

import { watchNpm } from "./npm-watch.mjs";

watchNpm(() => process.emit("forwardedSignal", "SIGTERM") || process.kill(process.pid, "SIGTERM"));
