// A program that exceeds one limit and waits to be killed for it.
import { spawn } from "node:child_process";
import { mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const megabytes = (count) => Buffer.alloc(count << 20, 1);

const modes = {
  /** Each process stays below its own limit; together they exceed the sandbox's. */
  async manySmall() {
    const hold = "import time; held = bytearray(100 << 20); time.sleep(5)";
    for (let i = 0; i < 14; i++) spawn("/usr/bin/python3", ["-I", "-S", "-c", hold]);
    await wait(6_000);
  },
  async forks() {
    let refused = 0;
    let started = 0;
    const one = () =>
      new Promise((resolve) => {
        const child = spawn("/usr/bin/sleep", ["600"]);
        child.once("error", () => resolve(refused++));
        child.once("spawn", () => resolve(started++));
      });
    while (refused === 0 && started < 400) await one();
    console.log(started);
    process.exit(refused === 0 ? 0 : 9);
  },
  async largeFiles() {
    for (let i = 0; i < 64; i++) writeSync(openSync(`part-${i}`, "w"), megabytes(1));
    await wait(600_000);
  },
  async manyFiles() {
    for (let i = 0; i < 3_000; i++) {
      mkdirSync(`d${i}`);
      writeFileSync(`d${i}/f`, "");
    }
    await wait(600_000);
  },
  /** Deeper than any path can name. */
  async deepFile() {
    for (let i = 0; i < 30; i++) {
      mkdirSync("d".repeat(200));
      process.chdir("d".repeat(200));
    }
    writeFileSync("f", megabytes(40));
    await wait(600_000);
  },
  modest: () => console.log("fine"),
};

await modes[process.argv[2]]();
