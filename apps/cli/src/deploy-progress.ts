// Shows the progress of a deployment, with seconds since its start, and measures its steps.

import type { Output } from "./output.ts";

export interface DeployProgress {
  say(line: string): void;
  /** A piece of the build's log, in whole lines. Programs get it unchanged. */
  log(text: string): void;
  /** Ends a step; the next one begins. */
  done(step: string): void;
  /** Milliseconds of each ended step, and in total. */
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
