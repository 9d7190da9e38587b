// Notices that npm is gone, which then can no longer pass on signals.

import { readFileSync, readlinkSync, realpathSync } from "node:fs";

const checkEveryMs = 1_000;

/**
 * Calls `onGone` once when the npm that runs this process has ended (kill -9). Without npm (nohup, a service manager)
 * it is never called, because a parent may end on purpose. Returns a function that stops the watch.
 */
export function watchNpm(onGone) {
  if (!process.env.npm_lifecycle_event) return () => {};
  const ancestry = isNpm(process.ppid) ? () => `${process.ppid}` : parentAndItsParent;
  const started = ancestry();
  let timer;
  // At whole seconds of the process's clock, when the platform's own timers run too.
  const watch = () => {
    timer = setTimeout(() => (ancestry() === started ? watch() : onGone()), nextCheckMs()).unref();
  };
  watch();
  return () => clearTimeout(timer);
}

/** A timer can run a millisecond early, so a check that is due within two is skipped. */
const nextCheckMs = () => Math.ceil(checkEveryMs - ((performance.now() + 2) % checkEveryMs)) + 2;

/** If our parent is npm, its own parent does not matter: a logout ends the shell of `nohup npm start &`. */
function isNpm(pid) {
  try {
    return readlinkSync(`/proc/${pid}/exe`) === realpathSync(process.env.npm_node_execpath ?? "");
  } catch {
    return false;
  }
}

/** Some shells stay between npm and us, and survive npm. */
function parentAndItsParent() {
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, "utf8");
    return `${process.ppid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]}`;
  } catch {
    return `${process.ppid}`;
  }
}
