// What the native program mounts, hides and unmounts.

import { afterAll, describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nativeProblem } from "@dari/native";
import { openMounts, sweepMounts, type Mounts } from "../src/disks/overlay/mounts.ts";
import { probeOverlays } from "../src/disks/overlay/overlay-disks.ts";
import { openFixture } from "./fixture.ts";

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());

const problem = await problemHere();
const hasSquashfs = existsSync("/usr/bin/mksquashfs");

async function problemHere(): Promise<string | undefined> {
  if (nativeProblem() !== undefined) return nativeProblem();
  const mounts = await openMounts();
  const dir = fixture.fresh();
  mkdirSync(dir);
  const found = await probeOverlays(dir, mounts);
  await mounts.close();
  return found;
}

/** Creates a directory with a layer of files and a layer of marks above it. */
function layered(): { dir: string; target: string; mount(mounts: Mounts): Promise<void> } {
  const dir = fixture.fresh();
  mkdirSync(dir);
  for (const name of ["low", "marks", "it's at"]) mkdirSync(join(dir, name));
  writeFileSync(join(dir, "low", "a file"), "below");
  const target = join(dir, "it's at");
  const mount = (mounts: Mounts): Promise<void> =>
    mounts.overlay({ cwd: dir, lower: ["marks", "low"], upper: "up", work: "it's work", target });
  return { dir, target, mount };
}

const describeHere = problem === undefined ? describe : describe.skip;

describeHere("mounts", () => {
  test("an overlay shows what is below, accepts changes and ends", async () => {
    const mounts = await openMounts();
    const { dir, target, mount } = layered();
    await mount(mounts);
    expect(readFileSync(join(target, "a file"), "utf8")).toBe("below");
    rmSync(join(target, "a file"));
    expect(fs.lstatSync(join(dir, "up", "a file")).isCharacterDevice()).toBe(true);
    expect(await mounts.unmount(target)).toBe(true);
    expect(readdirSync(target)).toEqual([]);
    await mounts.remove(dir, ["up", "it's work", "missing"]);
    expect(readdirSync(dir).sort()).toEqual(["it's at", "low", "marks"]);
    await mounts.close();
  });

  test("marks hide what is below them", async () => {
    const mounts = await openMounts();
    const { dir, target, mount } = layered();
    await mounts.whiteouts(join(dir, "marks"), ["a file"]);
    await mount(mounts);
    expect(readdirSync(target)).toEqual([]);
    await mounts.unmount(target);
    // One exists already.
    const names = ["a file", ...Array.from({ length: 50 }, (_, i) => `mark ${i}`)];
    await expect(mounts.whiteouts(join(dir, "marks"), names)).rejects.toThrow("a whiteout cannot be created");
    // Nothing writes to the layer now.
    const left = readdirSync(join(dir, "marks"));
    await mounts.unmount(target).catch(() => undefined);
    expect(readdirSync(join(dir, "marks"))).toEqual(left);
    await mounts.close();
  });

  test("a mount in use is unmounted anyway, and reported", async () => {
    const mounts = await openMounts();
    const { target, mount } = layered();
    await mount(mounts);
    const held = fs.openSync(join(target, "a file"), "r");
    try {
      expect(await mounts.unmount(target)).toBe(false);
      expect(readdirSync(target)).toEqual([]);
    } finally {
      fs.closeSync(held);
    }
    await mounts.close();
  });

  test("what cannot be done says why, and the next is done", async () => {
    const mounts = await openMounts();
    const { dir, target, mount } = layered();
    await expect(mounts.unmount(target)).rejects.toThrow(/Invalid|invalid|not mounted/);
    const missing = { cwd: dir, lower: ["nothing"], upper: "lost", work: "lost.w", target };
    await expect(mounts.overlay(missing)).rejects.toThrow(/no such file|special device|failed|missing/i);
    await expect(mounts.image({ file: join(dir, "none"), target })).rejects.toThrow(/no such file|failed/i);
    // A command that exceeds a limit fails alone.
    const long = mounts.whiteouts(join(dir, "marks"), ["a/".repeat(10_000)]);
    const [mine, others] = await Promise.allSettled([long, mounts.whiteouts(join(dir, "marks"), ["other"])]);
    expect([mine.status, others.status]).toEqual(["rejected", "fulfilled"]);
    await mount(mounts);
    expect(await mounts.unmount(target)).toBe(true);
    // The directory for one mount's changes is never used by another.
    await expect(mount(mounts)).rejects.toThrow(/exists/);
    await mounts.close();
  });

  (hasSquashfs ? test : test.skip)("an image is read-only, and needs its file's name no more", async () => {
    const mounts = await openMounts();
    const { dir, target } = layered();
    const file = join(dir, "image");
    execFileSync("/usr/bin/mksquashfs", [join(dir, "low"), file, "-quiet", "-no-progress"], { stdio: "ignore" });
    await mounts.image({ file, target });
    rmSync(file);
    expect(readFileSync(join(target, "a file"), "utf8")).toBe("below");
    expect(() => writeFileSync(join(target, "new"), "")).toThrow("EROFS");
    expect(await mounts.unmount(target)).toBe(true);
    await mounts.close();
  });

  test("what an ended process left is swept", async () => {
    const mounts = await openMounts();
    const { dir, mount, target } = layered();
    await mount(mounts);
    await mounts.close();
    expect(readdirSync(target)).toEqual(["a file"]);
    expect(await sweepMounts(dir)).toBe(1);
    expect(readdirSync(target)).toEqual([]);
  });
});
