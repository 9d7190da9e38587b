// Alternatives to the platform: the whole workspace as one archive, and a backup program.

import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { machineEnvironment } from "../../config.ts";
import { measureMs } from "../statistics.ts";
import type { Contestant } from "./dari.ts";
import { changeThree, type Size } from "./make-files.ts";

const run = promisify(execFile);

export function isInstalled(program: string): boolean {
  return spawnSync(program, [program === "restic" ? "version" : "--version"], { stdio: "ignore" }).error === undefined;
}

/** `tar | zstd -1` of everything after each turn, and back. */
export function openTar(dir: string, size: Size): Contestant {
  const [source, archive, target] = ["source", "all.tar.zst", "restored"].map((name) => path.join(dir, name)) as [
    string,
    string,
    string,
  ];
  const shell = (command: string) => run("/bin/sh", ["-c", command], { env: machineEnvironment() });
  const pack = () => measureMs(() => shell(`tar -C '${source}' -cf - . | zstd -q -1 -f -o '${archive}'`));
  return {
    async saveAll(from) {
      mkdirSync(dir, { recursive: true });
      cpSync(from, source, { recursive: true });
      return { save_all: await pack() };
    },
    async round(turn) {
      changeThree(source, size, turn);
      const save_all = await pack();
      mkdirSync(target);
      const restore_cold = await measureMs(() => shell(`zstd -q -d -c '${archive}' | tar -C '${target}' -xf -`));
      rmSync(target, { recursive: true });
      return { save_all, restore_cold };
    },
    close: async () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Measures a backup after each turn, which stores only what is new, and a restore of everything. */
export function openRestic(dir: string, size: Size): Contestant {
  const [source, target] = [path.join(dir, "source"), path.join(dir, "restored")];
  const env = { ...machineEnvironment(), RESTIC_PASSWORD: "bench", RESTIC_REPOSITORY: path.join(dir, "repository") };
  const restic = (...words: string[]) => run("restic", ["--quiet", "--no-cache", ...words], { env, cwd: source });
  return {
    async saveAll(from) {
      mkdirSync(dir, { recursive: true });
      cpSync(from, source, { recursive: true });
      await restic("init");
      return { save_all: await measureMs(() => restic("backup", ".")) };
    },
    async round(turn) {
      changeThree(source, size, turn);
      const scan_and_save = await measureMs(() => restic("backup", "."));
      const restore_cold = await measureMs(() => restic("restore", "latest", "--target", target));
      rmSync(target, { recursive: true });
      return { scan_and_save, restore_cold };
    },
    close: async () => rmSync(dir, { recursive: true, force: true }),
  };
}
