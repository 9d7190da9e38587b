// A jest runner that runs test files in Node processes of their own, with Node's loader. Jest's own runner loads and
// compiles all modules again for each file, in a vm context. Here, if a file leaves its process clean, the process
// continues with the next file.

import { fork } from "node:child_process";
import { once } from "node:events";

const program = new URL("native-process.mjs", import.meta.url);

const memberOf = /\/(apps|packages)\/[^/]+\//;
/** These tests read the children of their process. */
const ownProcess = /\/(apps\/lab|packages\/(sandbox|sandbox-pool|embedded))\/tests\//;
/** The files of these take longest, and run first. One that begins last would keep only one core busy. */
const longest = ["/packages/sandbox/", "/apps/lab/", "/packages/builder/", "/packages/sandbox-pool/"];
const placeOf = (member) => (longest.includes(member) ? longest.indexOf(member) : longest.length);

export default class NativeRunner {
  #globalConfig;

  constructor(globalConfig) {
    this.#globalConfig = globalConfig;
  }

  /** Starts the files in jest's order, as many at a time as it has workers. */
  async runTests(tests, watcher, onStart, onResult, onFailure) {
    // Files of one member follow each other, because they load the same modules.
    const members = Map.groupBy(tests, ({ path }) => path.match(memberOf)?.[0] ?? "");
    const byMember = [...members.keys()].sort((a, b) => placeOf(a) - placeOf(b));
    const waiting = byMember.flatMap((member) => members.get(member));
    const work = async () => {
      await using lane = new Lane(this.#globalConfig);
      while (waiting.length > 0 && !watcher.isInterrupted()) {
        const test = waiting.shift();
        await onStart(test);
        const run = lane.run(test).then((result) => onResult(test, result));
        await run.catch((error) => onFailure(test, error));
      }
    };
    await Promise.all(Array.from({ length: this.#globalConfig.maxWorkers }, work));
  }
}

/** Runs one file after the other. */
class Lane {
  #globalConfig;
  /** The clean process of an earlier file. */
  #idle;

  constructor(globalConfig) {
    this.#globalConfig = globalConfig;
  }

  async run({ path, context }) {
    const isShared = !ownProcess.test(path);
    const { child, ended, closed } = (isShared && this.#idle) || startProcess();
    const answered = new Promise((resolve) => child.once("message", resolve));
    child.send({ globalConfig: this.#globalConfig, config: context.config, path });
    const answer = await Promise.race([answered, closed]);
    if (isShared) this.#idle = answer.isReusable ? { child, ended, closed } : undefined;
    if (!isShared || !answer.isReusable) await end({ child, ended });
    if (answer.error !== undefined) throw answer.error;
    return answer.result;
  }

  async [Symbol.asyncDispose]() {
    if (this.#idle !== undefined) await end(this.#idle);
  }
}

function startProcess() {
  // Standard output belongs to jest's report.
  const child = fork(program, { serialization: "advanced", stdio: ["ignore", 2, 2, "ipc"] });
  const ended = once(child, "exit");
  // "close" rather than "exit", which may come before the answer is read.
  const closed = once(child, "close").then(([code, signal]) => {
    const message = `The process of this file ended with ${signal ?? code} before its tests did.`;
    return { error: { message, stack: message } };
  });
  return { child, ended, closed };
}

async function end({ child, ended }) {
  if (child.connected) child.disconnect();
  await ended;
}
