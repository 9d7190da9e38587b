// Notices that npm is gone, which then can no longer pass on signals.

import { readFileSync } from "node:fs";

const checkEveryMs = 1_000;

/**
 * Calls `onGone` once when the npm that runs this process has ended (kill -9). Under nohup or a service manager, where
 * a parent may end on purpose, it is never called. Returns a function that stops the watch.
 */
export function watchNpm(onGone) {
  if (!process.env.npm_lifecycle_event) return () => {};
  const started = ancestry();
  const watch = setInterval(() => {
    if (ancestry() === started) return;
    clearInterval(watch);
    onGone();
  }, checkEveryMs);
  watch.unref();
  return () => clearInterval(watch);
}

/** Our parent and its parent: some shells stay between npm and us, and survive npm. */
function ancestry() {
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, "utf8");
    return `${process.ppid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]}`;
  } catch {
    return `${process.ppid}`;
  }
}
