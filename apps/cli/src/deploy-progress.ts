// How far a deployment is: what is said on the way with the seconds since it began, and how long each step took.

import type { Output } from "./output.ts";

export interface DeployProgress {
  say(line: string): void;
  /** A piece of the build's log; whole lines. Machines get it as it is. */
  log(text: string): void;
  /** Ends a step; the next one begins. */
  done(step: string): void;
  /** Milliseconds of each step that has ended, and of all. */
  readonly timings: Readonly<Record<string, number>>;
}

export function createDeployProgress(output: Output): DeployProgress {
  const startedAt = performance.now();
  const timings: Record<string, number> = {};
  let stepStartedAt = startedAt;
  const stamp = (line: string): string => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    return `[${seconds.padStart(5)} s] ${line}`;
  };
  return {
    say: (line) => output.progress(output.isJson ? line : stamp(line)),
    log(text) {
      if (output.isJson) return output.log(text);
      for (const line of text.replace(/\n$/, "").split("\n")) output.log(`${stamp(line)}\n`);
    },
    done(step) {
      const now = performance.now();
      timings[step] = Math.round(now - stepStartedAt);
      timings["total"] = Math.round(now - startedAt);
      stepStartedAt = now;
    },
    timings,
  };
}
