// Files that a session's directory shows without storing them: with every kind of disk, and whatever an agent does to
// them.

import { afterAll, describe, expect, test } from "@jest/globals";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import {
  defaultWorkspaceLimits,
  diff,
  emptyTree,
  lendFiles,
  openDisks,
  sweepMounts,
  removeLentFiles,
  type Disk,
  type Disks,
  type LentFile,
  type Tree,
} from "../src/index.ts";
import { openFixture, saveDir, writeFiles } from "./fixture.ts";

const fixture = openFixture();
const opened: Disks[] = [];
afterAll(async () => {
  await sweepMounts(fixture.top);
  for (const disks of opened) await disks.close();
  fixture[Symbol.dispose]();
});

async function open(kind: "auto" | "copy"): Promise<Disks> {
  const disks = await openDisks({ dir: fixture.fresh(), maxBytes: 1024 ** 3, kind });
  opened.push(disks);
  return disks;
}
const all = [await open("auto"), await open("copy")];

const bundle = fixture.fresh();
const texts = {
  "CLAUDE.md": "Be brief.\n",
  ".claude/skills/sum/SKILL.md": "# Sum\n",
  ".claude/skills/sum/add.sh": "true\n",
};
writeFiles(bundle, texts);
const files: LentFile[] = Object.entries(texts).map(([path, text]) => ({
  path,
  source: join(bundle, path),
  isExecutable: path.endsWith(".sh"),
  sizeBytes: text.length,
}));

const leftovers = [".claude/node_modules", ".claude/skills/sum/add.sh", "elsewhere/node_modules"];

const session = fixture.fresh();
writeFiles(session, { "workspace/own.txt": "own", "workspace/.claude/settings.json": "{}" });
const { tree } = await saveDir(fixture, session, emptyTree);

interface Case {
  readonly disk: Disk;
  at(path: string): string;
  /** Returns what has changed in the session's tree after the files are removed. */
  changes(): Promise<string[]>;
  readonly before: Tree;
}

async function lend(disks: Disks, before: Tree = emptyTree): Promise<Case> {
  const dir = fixture.fresh();
  const options = { store: fixture.store, organizationId: "org_a", tree: before, dir, limits: defaultWorkspaceLimits };
  const disk = await disks.open(options);
  const lent = await lendFiles(dir, files, leftovers);
  return {
    disk,
    before,
    at: (path) => join(dir, "workspace", path),
    async changes() {
      await removeLentFiles(dir, lent);
      const scanned = await disk.scan();
      await disk.close();
      return diff(before, scanned.tree).map(({ path }) => path);
    },
  };
}

describe.each(all)("$kind", (disks) => {
  test("files are there and are not in the session's tree", async () => {
    const { at, changes } = await lend(disks);
    for (const [path, text] of Object.entries(texts)) expect(readFileSync(at(path), "utf8")).toBe(text);
    expect(lstatSync(at(".claude/skills/sum/add.sh")).mode & 0o777).toBe(0o755);
    expect(lstatSync(at("CLAUDE.md")).mode & 0o777).toBe(0o644);
    expect(await changes()).toEqual([]);
  });

  test("a folder that the session has gains them, and keeps its own", async () => {
    const { at, changes } = await lend(disks, tree);
    expect(existsSync(at(".claude/settings.json")) && existsSync(at(".claude/skills/sum/SKILL.md"))).toBe(true);
    expect(await changes()).toEqual([]);
  });

  test("a kept directory is what was saved", async () => {
    const dir = fixture.fresh();
    const options = { store: fixture.store, organizationId: "org_a", tree, limits: defaultWorkspaceLimits };
    const disk = await disks.open({ ...options, dir });
    const lent = await lendFiles(dir, files);
    writeFileSync(join(dir, "workspace/new.txt"), "new");
    await removeLentFiles(dir, lent);
    const after = (await disk.scan()).tree;
    expect(diff(tree, after).map(({ path }) => path)).toEqual(["workspace/new.txt"]);
    await disk.keep(after);
    const again = fixture.fresh();
    const next = await disks.open({ ...options, dir: again, tree: after });
    expect([next.isWarm, existsSync(join(again, "workspace/CLAUDE.md"))]).toEqual([true, false]);
    await next.close();
  });

  test("what was changed is the session's, with the folders above it", async () => {
    const { at, changes } = await lend(disks);
    writeFileSync(at(".claude/skills/sum/SKILL.md"), "# Add\n");
    expect(await changes()).toEqual([
      "workspace/.claude",
      "workspace/.claude/skills",
      "workspace/.claude/skills/sum",
      "workspace/.claude/skills/sum/SKILL.md",
    ]);
  });

  test("files that were added next to them are the session's; deleted ones are not a change", async () => {
    const { at, changes } = await lend(disks);
    unlinkSync(at("CLAUDE.md"));
    rmSync(at(".claude/skills"), { recursive: true });
    writeFileSync(at(".claude/note"), "note");
    expect(await changes()).toEqual(["workspace/.claude", "workspace/.claude/note"]);
  });

  test("leftovers of programs are removed with the folder that was made, and stay in the session's own", async () => {
    for (const before of [emptyTree, tree]) {
      const { at, changes } = await lend(disks, before);
      const outside = fixture.fresh();
      mkdirSync(outside);
      mkdirSync(at(".claude/node_modules/deep"), { recursive: true });
      symlinkSync(outside, at(".claude/node_modules/link"));
      const kept = ["", "/deep", "/link"].map((name) => `workspace/.claude/node_modules${name}`);
      expect(await changes()).toEqual(before === emptyTree ? [] : kept);
      expect(existsSync(outside)).toBe(true);
    }
  });

  test("a copy elsewhere is the session's", async () => {
    const { at, changes } = await lend(disks);
    renameSync(at("CLAUDE.md"), at("other.md"));
    expect(await changes()).toEqual(["workspace/other.md"]);
  });

  test("a link instead of a folder leads nowhere", async () => {
    const { at, changes } = await lend(disks);
    const outside = fixture.fresh();
    mkdirSync(join(outside, "skills/sum"), { recursive: true });
    writeFileSync(join(outside, "skills/sum/SKILL.md"), texts[".claude/skills/sum/SKILL.md"]);
    rmSync(at(".claude"), { recursive: true });
    symlinkSync(outside, at(".claude"));
    expect(await changes()).toEqual(["workspace/.claude"]);
    expect(existsSync(join(outside, "skills/sum/SKILL.md"))).toBe(true);
  });
});

test.each([
  ["a file", (place: string) => writeFileSync(place, "x")],
  ["a link", (place: string) => symlinkSync(dirname(place), place)],
  ["a folder that nobody may enter", (place: string) => (mkdirSync(place), chmodSync(place, 0))],
])("%s of the session instead of a folder stays", async (_title, make) => {
  const dir = fixture.fresh();
  mkdirSync(join(dir, "workspace"), { recursive: true });
  make(join(dir, "workspace/.claude"));
  const before = lstatSync(join(dir, "workspace/.claude")).mode;
  const lent = await lendFiles(dir, files);
  expect(lent.files.map(({ path }) => path)).toContain("CLAUDE.md");
  await removeLentFiles(dir, lent);
  expect(lstatSync(join(dir, "workspace/.claude")).mode).toBe(before);
  expect(existsSync(join(dir, "workspace/CLAUDE.md"))).toBe(false);
});
