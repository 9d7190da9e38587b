// The built programs in bin/ match the sources, and run on any Linux machine of their architecture.

import { describe, expect, test } from "@jest/globals";
import { execFileSync, spawnSync, type SpawnSyncReturns } from "node:child_process";
import * as fs from "node:fs";
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nativeFile, nativeProblem } from "../src/native-program.ts";

const bin = fileURLToPath(new URL("../bin", import.meta.url));
const build = fileURLToPath(new URL("../build.mjs", import.meta.url));
const isRoot = process.getuid?.() === 0;
const hasQemu = process.platform === "linux" && spawnSync("qemu-aarch64-static", ["--version"]).status === 0;
const arm64 = join(bin, "linux-arm64/dari-native");

function withDirectory(act: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), "native-program-"));
  try {
    act(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test("bin/ is of these sources (after a change: node packages/native/build.mjs)", () => {
  const digest = execFileSync(process.execPath, [build, "--digest"], { encoding: "utf8" });
  expect(readFileSync(join(bin, "sources.sha256"), "utf8")).toBe(digest);
});

/** By the numbers of the ELF format. */
const machines = { "linux-x64": 62, "linux-arm64": 183 };
const interpreter = 3;

test.each(Object.entries(machines))("%s: every user can run it, and it needs no library", (name, machine) => {
  const file = join(bin, name, "dari-native");
  expect(lstatSync(file).mode & 0o7777 & ~0o022).toBe(0o755);
  const bytes = readFileSync(file);
  const [headersAt, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  const kinds = Array.from({ length: count }, (_, i) => bytes.readUInt32LE(headersAt + i * size));
  expect({ machine: bytes.readUInt16LE(18), needs: kinds.includes(interpreter) }).toEqual({ machine, needs: false });
});

test("a file that is missing or cannot be executed is named with its remedy", () => {
  withDirectory((dir) => {
    const file = join(dir, "dari-native");
    if (process.platform !== "linux") return expect(nativeProblem(file)).toMatch(/Linux on x64 and arm64/);
    expect(nativeProblem(file)).toBe(`${file} is missing; restore it from the repository`);
    writeFileSync(file, "");
    chmodSync(file, 0o644);
    expect(nativeProblem(file)).toMatch(/cannot be executed \(EACCES\); set its mode to 755/);
  });
});

/** Ways to run a program of bin/, by the command before its name. */
const ways: Readonly<Record<string, readonly string[] | undefined>> = {
  "of this machine": nativeProblem() === undefined ? [nativeFile] : undefined,
  "for arm64, emulated": hasQemu ? ["qemu-aarch64-static", arm64] : undefined,
};

describe.each(Object.entries(ways))("the program %s", (_title, way) => {
  const testHere = way === undefined ? test.skip : test;
  const run = (args: readonly string[], input = ""): SpawnSyncReturns<string> => {
    const [command, ...first] = way!;
    return spawnSync(command!, [...first, ...args], { input, encoding: "utf8", timeout: 20_000 });
  };

  testHere("lists its names", () => {
    const { status, stderr } = run(["nonsense"]);
    expect(status).toBe(125);
    expect(stderr).toContain("confine container enter group mount namespace own relay share start template\n");
  });

  testHere("enter sets limits and becomes the program", () => {
    const words = ["", "nofile=77,core=0", "", "/bin/sh", "-c", 'ulimit -n; echo "$1"', "sh", "two words"];
    const { stdout, status } = run(["enter", "0"], words.map((word) => `${word}\0`).join(""));
    expect({ stdout, status }).toEqual({ stdout: "77\ntwo words\n", status: 0 });
    expect(run(["enter", "0"], "cut off").stderr).toBe("sandbox: the worker hung up: Broken pipe\n");
  });

  testHere("group performs its steps and becomes the program, or says which one failed", () => {
    withDirectory((dir) => {
      writeFileSync(join(dir, "max"), "");
      const steps = ["make", join(dir, "made"), "set", join(dir, "max"), "12", "try", join(dir, "none"), "x"];
      expect(run(["group", "2", ...steps, "--", "/bin/echo", "there"]).stdout).toBe("there\n");
      expect(lstatSync(join(dir, "made")).isDirectory()).toBe(true);
      expect(readFileSync(join(dir, "max"), "utf8")).toBe("12");
      const failed = run(["group", "2", "set", join(dir, "none"), "x", "--", "/bin/echo", "there"]);
      expect([failed.status, failed.stdout]).toEqual([125, ""]);
      expect(failed.stderr).toBe(`sandbox: ${join(dir, "none")}: No such file or directory\n`);
    });
  });

  testHere("mount answers each command with the number of its error", () => {
    const commands = ["unmount", "/no/such/place", "whiteout", "/no/such/place", "file"];
    expect(run(["mount"], commands.map((word) => `${word}\0`).join("")).stdout).toBe("2\n2\n");
  });

  testHere("mount creates and removes folders, and clears only what an overlay or an unchanged turn leaves", () => {
    withDirectory((dir) => {
      for (const path of [
        "used/workspace/kept",
        "unused/workspace",
        "unused/state",
        "work/work/incompat/volatile",
        "elsewhere/state",
      ]) {
        mkdirSync(join(dir, path), { recursive: true });
      }
      writeFileSync(join(dir, "work/work/incompat/volatile/dirty"), "");
      fs.symlinkSync(join(dir, "elsewhere"), join(dir, "link"));
      const mount = (...words: string[]): string => run(["mount"], words.map((word) => `${word}\0`).join("")).stdout;
      const names = ["used", "unused", "work", "missing", "link"];
      expect(mount(...names.flatMap((name) => ["clear", dir, name]))).toBe("39\n0\n0\n2\n20\n");
      const folder = join(dir, "folder");
      expect(mount("folder", folder, "", "folder", folder, "", "unmake", folder, "unmake", folder)).toBe(
        "0\n17\n0\n2\n",
      );
      expect(mount("unmake", join(dir, "used"))).toBe("39\n");
      expect(fs.readdirSync(dir).sort()).toEqual(["elsewhere", "link", "used"]);
      expect(fs.readdirSync(join(dir, "elsewhere"))).toEqual(["state"]);
      expect(fs.readdirSync(join(dir, "used", "workspace"))).toEqual(["kept"]);
    });
  });

  testHere("mount leaves a large directory to others, even an empty one", () => {
    withDirectory((dir) => {
      const folder = join(dir, "folder");
      mkdirSync(folder);
      const files = Array.from({ length: 1_000 }, (_, i) => join(folder, `${i}-`.padEnd(250, "x")));
      for (const file of files) writeFileSync(file, "");
      for (const file of files) rmSync(file);
      // Some file systems make an emptied directory small again.
      const expected = lstatSync(folder).size > 64 * 1024 ? "39\n" : "0\n";
      expect(run(["mount"], `unmake\0${folder}\0`).stdout).toBe(expected);
    });
  });

  (isRoot ? testHere : test.skip)("own gives a tree away, and no file that has other names", () => {
    withDirectory((dir) => {
      mkdirSync(join(dir, "tree", "below"), { recursive: true });
      writeFileSync(join(dir, "tree", "below", "file"), "");
      writeFileSync(join(dir, "kept"), "");
      execFileSync("ln", [join(dir, "kept"), join(dir, "tree", "linked")]);
      chownSync(dir, 0, 0);
      expect(run(["own", "4242", join(dir, "tree")]).stderr).toBe("");
      const owners = ["tree", "tree/below", "tree/below/file", "kept"].map((path) => lstatSync(join(dir, path)).uid);
      expect(owners).toEqual([4242, 4242, 4242, 0]);
    });
  });
});
