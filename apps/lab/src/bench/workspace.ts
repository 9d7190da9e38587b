// Measures what a workspace costs by its size if a turn changes three files: restore, scan, save, requests and bytes,
// compared with `tar | zstd` of everything and a backup program, in one run. On tmpfs, because 20,000 small files would
// measure the disk. Expected: with overlays the same for 20,000 files as for 10; otherwise a walk over all names.
//
//   npm run lab -- bench/workspace [--smoke] [--rounds 7] [--dir /dev/shm]

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { openDisks, sweepMounts } from "@dari/workspace";
import { summarizeSpread, type Spread } from "./statistics.ts";
import { gate, medianOf, report, type Gate } from "./verdict.ts";
import type { Requests } from "./workspace/counted-store.ts";
import { openDari, type Contestant, type Timings } from "./workspace/dari.ts";
import { makeFiles, type Size } from "./workspace/make-files.ts";
import { isInstalled, openRestic, openTar } from "./workspace/programs.ts";
import { readFlags } from "../flags.ts";

const flags = readFlags({
  smoke: { type: "boolean", default: false },
  rounds: { type: "string", default: "7" },
  dir: { type: "string", default: existsSync("/dev/shm") ? "/dev/shm" : tmpdir() },
});
const { values } = flags;
const MB = 1_000_000;
const sizes: readonly Size[] = values.smoke
  ? [
      { files: 10, bytes: MB / 10 },
      { files: 200, bytes: 2 * MB },
      { files: 1_000, bytes: 5 * MB },
    ]
  : [
      { files: 10, bytes: MB / 10 },
      { files: 1_000, bytes: 50 * MB },
      { files: 20_000, bytes: 500 * MB },
    ];
const rounds = values.smoke ? 2 : flags.whole("rounds");
/** Code is compiled and caches are filled before the first counted round. */
const warmUps = values.smoke ? 1 : 2;

interface Entry {
  readonly name: string;
  readonly size: Size;
  readonly contestant: Contestant;
  readonly samples: Map<string, number[]>;
  requests?: Requests | undefined;
}

const top = mkdtempSync(path.join(values.dir, "dari-workspace-bench-"));

async function hasOverlays(): Promise<boolean> {
  const disks = await openDisks({ dir: path.join(top, "probe"), maxBytes: 1 });
  await disks.close();
  return disks.kind === "overlay";
}

/** Smaller trees have none. */
function hasImage({ files, bytes }: Size): boolean {
  return (files >= 2_000 || bytes >= 32 * 1024 ** 2) && isInstalled("mksquashfs");
}

async function openContestants(size: Size, overlays: boolean): Promise<[string, Contestant][]> {
  const dir = (name: string): string => path.join(top, `${size.files}-${name}`);
  const all: [string, Contestant][] = [];
  if (overlays) all.push(["overlay", await openDari("overlay", dir("overlay"), size)]);
  if (overlays && hasImage(size)) all.push(["image", await openDari("image", dir("image"), size)]);
  all.push(["copy", await openDari("copy", dir("copy"), size)]);
  all.push(["tar", openTar(dir("tar"), size)]);
  if (isInstalled("restic")) all.push(["restic", openRestic(dir("restic"), size)]);
  return all;
}

async function prepare(overlays: boolean): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const size of sizes) {
    const source = path.join(top, `${size.files}-source`);
    makeFiles(source, size);
    for (const [name, contestant] of await openContestants(size, overlays)) {
      const entry: Entry = { name, size, contestant, samples: new Map() };
      note(entry, await contestant.saveAll(source));
      entries.push(entry);
    }
    rmSync(source, { recursive: true });
  }
  return entries;
}

function note({ samples }: Entry, timings: Timings): void {
  for (const [step, ms] of Object.entries(timings)) samples.set(step, [...(samples.get(step) ?? []), ms]);
}

/** All contestants run each round before the next one, so that disturbances affect all of them. */
async function play(entries: readonly Entry[]): Promise<void> {
  for (let round = 0; round < warmUps + rounds; round++) {
    for (const entry of entries) {
      const timings = await entry.contestant.round(round);
      if (round < warmUps) continue;
      note(entry, timings);
      entry.requests = entry.contestant.requests;
    }
  }
}

function judge(entries: readonly Entry[], overlays: boolean): Gate[] {
  const [small, middle, large] = sizes.map(({ files }) => files) as [number, number, number];
  const find = (name: string, files: number): Entry | undefined =>
    entries.find((entry) => entry.name === name && entry.size.files === files);
  const median = (name: string, files: number, step: string): number =>
    medianOf(find(name, files)?.samples.get(step) ?? []);
  const best = overlays ? "overlay" : "copy";
  const gates: Gate[] = [];
  if (overlays) {
    for (const step of ["scan_and_save", "restore_warm"]) {
      const ratio = median("overlay", large, step) / median("overlay", small, step);
      gates.push(gate(`overlay: ${step} at ${large} files / at ${small}`, ratio, 2));
    }
  }
  const whole = median("copy", large, "scan_and_save") / median("tar", large, "save_all");
  gates.push(gate(`copy: scan_and_save at ${large} files / tar of all`, whole, 0.05));
  for (const name of overlays ? ["overlay", "copy"] : ["copy"]) {
    gates.push(gate(`${name}: PUTs of a turn at ${large} files`, find(name, large)?.requests?.puts ?? Number.NaN, 1));
  }
  for (const files of [middle, large]) {
    const ratio = median(best, files, "restore_cold") / median("tar", files, "restore_cold");
    gates.push(gate(`${best}: cold restore of ${files} files / zstd and tar`, ratio, 1));
    if (find("image", files) === undefined) continue;
    const imaged = median("image", files, "restore_cold") / median("tar", files, "restore_cold");
    gates.push(gate(`image: cold restore of ${files} files / zstd and tar`, imaged, 0.333));
  }
  return gates;
}

function resultOf(entries: readonly Entry[]): unknown {
  return entries.map(({ name, size, samples, requests }) => ({
    name,
    ...size,
    ms: Object.fromEntries([...samples].map(([step, all]): [string, Spread] => [step, summarizeSpread(all)])),
    ...(requests === undefined ? {} : { turn: requests }),
  }));
}

try {
  const overlays = await hasOverlays();
  const entries = await prepare(overlays);
  await play(entries);
  for (const { contestant } of entries) await contestant.close();
  const gates = judge(entries, overlays);
  const parameters = { sizes, rounds, warm_ups: warmUps, dir: values.dir, restic: isInstalled("restic") };
  report({ name: "workspace", parameters, result: resultOf(entries), gates, smoke: values.smoke });
  for (const { says, value, atMost, passed } of gates) {
    process.stderr.write(`${passed ? "PASS" : "FAIL"} ${says}: ${value} (at most ${atMost})\n`);
  }
} finally {
  await sweepMounts(top);
  rmSync(top, { recursive: true, force: true });
}
