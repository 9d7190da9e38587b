// The log of a build, in lines and with a size limit.

import { limits } from "@dari/domain";

const lineCharsMax = 4096;
const lastLinesMax = 12;

export interface BuildLog {
  /** One or more lines. Terminal control sequences are removed from a program's output. */
  line(text: string): void;
  warn(text: string): void;
  readonly warnings: readonly string[];
  /** Logs how long the step took, also if it fails. */
  step<T>(name: string, run: () => Promise<T>): Promise<T>;
  /** The running or last step. */
  readonly currentStep: string;
  /** The last twelve lines of that step. */
  readonly lastLines: readonly string[];
}

export function createBuildLog(write: (text: string) => void): BuildLog {
  const warnings: string[] = [];
  let currentStep = "start";
  let lastLines: string[] = [];
  let left: number = limits.buildLogBytes;
  const line = (text: string): void => {
    for (const one of printable(text).split("\n")) {
      const kept = one.slice(0, lineCharsMax);
      lastLines = [...lastLines, kept].slice(-lastLinesMax);
      emit(`${kept}\n`);
    }
  };
  const emit = (text: string): void => {
    if (left <= 0) return;
    left -= Buffer.byteLength(text);
    write(left > 0 ? text : "… the log is full; the rest is not kept\n");
  };
  return {
    line,
    warnings,
    warn(text) {
      warnings.push(text);
      line(`warning: ${text}`);
    },
    async step(name, run) {
      currentStep = name;
      lastLines = [];
      const startedAt = performance.now();
      const seconds = (): string => `${((performance.now() - startedAt) / 1000).toFixed(2)} s`;
      try {
        const result = await run();
        emit(`${name}: done in ${seconds()}\n`);
        return result;
      } catch (error) {
        emit(`${name}: failed after ${seconds()}\n`);
        throw error;
      }
    },
    get currentStep() {
      return currentStep;
    },
    get lastLines() {
      return lastLines;
    },
  };
}

/** Removes colours, cursor movements and other control characters. A carriage return starts a new line. */
export function printable(text: string): string {
  const plain = text.replaceAll(/\u001B(\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(\u0007|\u001B\\)?|.)/g, "");
  return plain.replaceAll(/\r\n?/g, "\n").replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F]/g, "");
}
