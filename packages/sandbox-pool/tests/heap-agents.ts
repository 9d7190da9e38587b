// Agents that fill the JavaScript heap.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const MiB = 1024 ** 2;
export const GiB = 1024 ** 3;

const source = `
import { once } from "node:events";
import v8 from "node:v8";
import { Worker } from "node:worker_threads";

const limit = () => v8.getHeapStatistics().heap_size_limit;

/** About 500 MiB of objects, of which a tenth lives for a while. */
export function churns() {
  const kept = [];
  for (let round = 0; round < 400; round++) {
    const objects = Array.from({ length: 10_000 }, (_, i) => ({ round, i, text: "object " + i }));
    kept[round % 40] = objects;
  }
  return "churned";
}

export function keeps() {
  const kept = [];
  for (;;) kept.push(Array.from({ length: 1_000 }, (_, i) => ({ i, text: "object " + i })));
}

/** 5 GiB of old objects. */
export function holds() {
  const arrays = Array.from({ length: 40 }, () => new Array(16 * 1024 ** 2).fill(1.5));
  return String(arrays.length * arrays[0].length * 8);
}

export async function tells() {
  const read = 'require("node:v8").getHeapStatistics().heap_size_limit';
  const code = 'require("node:worker_threads").parentPort.postMessage(' + read + ')';
  const [threads] = await once(new Worker(code, { eval: true }), "message");
  return { own: limit(), threads, execArgv: process.execArgv };
}
`;

/** Writes the agents to an image. */
export function heapAgents(): { readonly root: string; readonly imageDir: string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), "heap-agents-"));
  const imageDir = join(root, "image");
  mkdirSync(imageDir);
  writeFileSync(join(imageDir, "agent.mjs"), source);
  return { root, imageDir, remove: () => rmSync(root, { recursive: true }) };
}
