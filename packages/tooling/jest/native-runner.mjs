// A jest runner that runs every test file in its own Node process, with Node's loader. Jest's own runner loads and
// compiles all modules again for each file, in a vm context.

import { fork } from "node:child_process";
import { once } from "node:events";

const program = new URL("native-process.mjs", import.meta.url);
/** These start whole platforms and take longest. If one begins last, it keeps only one core busy. */
const longest = /\/apps\/lab\/|\/packages\/sandbox\/|\/apps\/cli\//;

export default class NativeRunner {
  #globalConfig;

  constructor(globalConfig) {
    this.#globalConfig = globalConfig;
  }

  /** Starts the files in jest's order, as many at a time as it has workers. */
  async runTests(tests, watcher, onStart, onResult, onFailure) {
    // Jest orders files by duration if it knows it, otherwise by size.
    const isEarly = ({ duration, path }) => duration === undefined && longest.test(path);
    const waiting = [...tests.filter(isEarly), ...tests.filter((test) => !isEarly(test))];
    const work = async () => {
      while (waiting.length > 0 && !watcher.isInterrupted()) {
        const test = waiting.shift();
        await onStart(test);
        const run = this.#run(test).then((result) => onResult(test, result));
        await run.catch((error) => onFailure(test, error));
      }
    };
    await Promise.all(Array.from({ length: this.#globalConfig.maxWorkers }, work));
  }

  async #run({ path, context }) {
    // Standard output belongs to jest's report.
    const child = fork(program, { serialization: "advanced", stdio: ["ignore", 2, 2, "ipc"] });
    let answer;
    child.on("message", (message) => (answer = message));
    child.send({ globalConfig: this.#globalConfig, config: context.config, path });
    // Not "exit", which may come before the answer is read.
    const [code, signal] = await once(child, "close");
    const message = `The process of this file ended with ${signal ?? code} before its tests did.`;
    const { result, error } = answer ?? { error: { message, stack: message } };
    if (error !== undefined) throw error;
    return result;
  }
}
