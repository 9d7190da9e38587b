// A jest runner that runs test files in Node processes of their own, with Node's loader. Jest's own runner loads and
// compiles all modules again for each file, in a vm context. Here, if a file leaves its process clean, the process
// continues with the next file of the same member.

import { fork } from "node:child_process";
import { once } from "node:events";

const program = new URL("native-process.mjs", import.meta.url);

const memberOf = /\/(apps|packages)\/[^/]+\//;
/** Tests of these members read the children of their process. */
const ownProcess = /\/(apps\/lab|packages\/(sandbox|sandbox-pool|embedded))\//;
/** The files of these take longest, and run first. One that begins last would keep only one core busy. */
const longest = ["/packages/sandbox/", "/apps/lab/", "/apps/cli/"];
const placeOf = (member) => (longest.includes(member) ? longest.indexOf(member) : longest.length);

export default class NativeRunner {
  #globalConfig;

  constructor(globalConfig) {
    this.#globalConfig = globalConfig;
  }

  /** Starts the files in jest's order, as many at a time as it has workers. */
  async runTests(tests, watcher, onStart, onResult, onFailure) {
    // Files of one member follow each other, so that they share a process.
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
  /** The clean process of the file before. */
  #idle;

  constructor(globalConfig) {
    this.#globalConfig = globalConfig;
  }

  async run({ path, context }) {
    const member = path.match(memberOf)?.[0];
    const used = await this.#processFor(member);
    const { child, closed } = used;
    const answered = new Promise((resolve) => child.once("message", resolve));
    child.send({ globalConfig: this.#globalConfig, config: context.config, path });
    const answer = await Promise.race([answered, closed]);
    if (answer.isReusable && !ownProcess.test(path)) this.#idle = used;
    else await end(used);
    if (answer.error !== undefined) throw answer.error;
    return answer.result;
  }

  async #processFor(member) {
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle?.member === member) return idle;
    await end(idle);
    // Standard output belongs to jest's report.
    const child = fork(program, { serialization: "advanced", stdio: ["ignore", 2, 2, "ipc"] });
    const ended = once(child, "exit");
    // "close" rather than "exit", which may come before the answer is read.
    const closed = once(child, "close").then(([code, signal]) => {
      const message = `The process of this file ended with ${signal ?? code} before its tests did.`;
      return { error: { message, stack: message } };
    });
    return { child, member, ended, closed };
  }

  async [Symbol.asyncDispose]() {
    await end(this.#idle);
  }
}

async function end(used) {
  if (used?.child.connected) used.child.disconnect();
  await used?.ended;
}
