// Tests bundles on real directories and real git repositories: what is in them, and that their bytes are the same.

import { describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { chmod, readFile, rm, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { gunzipSync } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { buildBundle } from "../src/index.ts";
import { temporaryTree, writeTree } from "./run-dari.ts";

const manifest = "name: demo\nsdk: pi\nentrypoint: src/agent.ts:agent\n";
const longPath = `src/${"d".repeat(90)}/${"f".repeat(90)}.ts`;
const tree = {
  "dari.yml": manifest,
  "src/agent.ts": "export const agent = () => 'hi';\n",
  "src/Z.ts": "",
  "src/ä.ts": "ä",
  [longPath]: "long",
  "run.sh": "#!/bin/sh\n",
};
const environment = { PATH: process.env["PATH"] ?? "", GIT_CONFIG_GLOBAL: "/dev/null", HOME: "/nonexistent" };

describe("a bundle", () => {
  test("has the same bytes for the same tree, whatever its times, modes and packing", async () => {
    await using first = await temporaryTree(tree);
    await using second = await temporaryTree(Object.fromEntries(Object.entries(tree).reverse()));
    await chmod(join(first.path, "run.sh"), 0o755);
    await chmod(join(second.path, "run.sh"), 0o700);
    await chmod(join(second.path, "dari.yml"), 0o600);
    await utimes(join(second.path, "dari.yml"), 1, 1);
    await using left = await buildBundle(first.path, environment);
    await using right = await buildBundle(second.path, { ...environment, CI: "true" });
    expect(right.sha256).toBe(left.sha256);
    expect(await readFile(right.archivePath)).toEqual(await readFile(left.archivePath));
    expect([left.metadata, right.metadata]).toEqual([{ origin: "local_cli" }, { origin: "ci" }]);
  });

  test("is a plain gzip around a PAX tar of regular files, sorted by bytes", async () => {
    await using root = await temporaryTree(tree);
    await chmod(join(root.path, "run.sh"), 0o711);
    await using bundle = await buildBundle(root.path, environment);
    const bytes = await readFile(bundle.archivePath);
    // Magic, deflate, no flags (so no name), time 0, best compression, unknown system.
    expect([...bytes.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    expect(bundle.size_bytes).toBe(bytes.length);
    const members = await membersOf(bytes);
    expect(members.map(({ name }) => name)).toEqual([
      "dari.yml",
      "run.sh",
      "src/Z.ts",
      "src/agent.ts",
      longPath,
      "src/ä.ts",
    ]);
    for (const member of members) {
      expect(member).toMatchObject({ type: "file", uid: 0, gid: 0, uname: "", gname: "", mtime: new Date(0) });
      expect(member.mode).toBe(member.name === "run.sh" ? 0o755 : 0o644);
    }
  });

  test("leaves no temporary file behind", async () => {
    await using root = await temporaryTree(tree);
    const bundle = await buildBundle(root.path, environment);
    await bundle[Symbol.asyncDispose]();
    await expect(readFile(bundle.archivePath)).rejects.toThrow("ENOENT");
  });
});

describe("what is bundled", () => {
  test("outside git: everything but the names that are skipped", async () => {
    const skipped = [
      ".dari/deploy-state.json",
      ".env",
      "src/.env",
      ".venv/a",
      "node_modules/a/b.js",
      "__pycache__/a.pyc",
      ".pytest_cache/a",
      ".DS_Store",
      "src/.DS_Store",
    ];
    const kept = { "dari.yml": manifest, ".env.example": "x", ".gitignore": "src", "src/a.ts": "x" };
    await using root = await temporaryTree({ ...kept, ...Object.fromEntries(skipped.map((path) => [path, "x"])) });
    expect(await bundledPaths(root.path)).toEqual([".env.example", ".gitignore", "dari.yml", "src/a.ts"]);
  });

  test("inside git: tracked and untracked, not ignored, deleted or secret", async () => {
    await using root = await temporaryTree({
      "dari.yml": manifest,
      "tracked.ts": "x",
      "deleted.ts": "x",
      ".env": "SECRET=1",
      "ignored.log": "x",
      ".gitignore": "*.log\n",
      "node_modules/tracked.js": "x",
    });
    git(root.path, "init", "--quiet", "--initial-branch=main");
    git(root.path, "add", "--force", "dari.yml", "tracked.ts", "deleted.ts", ".env", ".gitignore", "node_modules");
    git(root.path, "commit", "--quiet", "--message=first");
    await rm(join(root.path, "deleted.ts"));
    await writeTree(root.path, { "untracked.ts": "x", ".dari/deploy-state.json": "{}" });
    await using bundle = await buildBundle(root.path, environment);
    expect(bundle.files.map(({ path }) => path)).toEqual([
      ".gitignore",
      "dari.yml",
      "node_modules/tracked.js",
      "tracked.ts",
      "untracked.ts",
    ]);
    const commit = git(root.path, "rev-parse", "HEAD").trim();
    expect(bundle.metadata).toEqual({
      origin: "local_cli",
      git_commit_sha: commit,
      git_ref: "main",
      git_author: git(root.path, "log", "-1", "--format=%an").trim(),
      git_subject: "first",
      git_dirty: true,
    });
  });

  test("inside a folder of a repository: only that folder, and its own state", async () => {
    await using root = await temporaryTree({
      "other.ts": "x",
      "agents/one/dari.yml": manifest,
      "agents/one/a.ts": "x",
    });
    git(root.path, "init", "--quiet", "--initial-branch=main");
    git(root.path, "add", "agents");
    git(root.path, "commit", "--quiet", "--message=first");
    await using bundle = await buildBundle(join(root.path, "agents/one"), {
      ...environment,
      GIT_DIR: "/nonexistent",
      GITHUB_ACTIONS: "true",
      GITHUB_RUN_ID: "7",
      GITHUB_SERVER_URL: "https://github.com/",
      GITHUB_REPOSITORY: "o/r",
    });
    expect(bundle.files.map(({ path }) => path)).toEqual(["a.ts", "dari.yml"]);
    expect(bundle.metadata).toMatchObject({
      origin: "ci",
      git_dirty: false,
      ci_provider: "github_actions",
      github_run_id: "7",
      ci_run_url: "https://github.com/o/r/actions/runs/7",
    });
  });

  test("a folder that the surrounding repository ignores is bundled like one outside of a repository", async () => {
    await using root = await temporaryTree({ ".gitignore": "scratch/\n", "scratch/dari.yml": manifest });
    git(root.path, "init", "--quiet");
    expect(await bundledPaths(join(root.path, "scratch"))).toEqual(["dari.yml"]);
  });
});

describe("what is refused", () => {
  test("links are listed by name, all together", async () => {
    await using root = await temporaryTree(tree);
    await symlink("/etc/passwd", join(root.path, "secrets"));
    await symlink("agent.ts", join(root.path, "src/link.ts"));
    await expect(buildBundle(root.path, environment)).rejects.toThrow(
      "these cannot be bundled:\n- secrets: it is a symbolic link\n- src/link.ts: it is a symbolic link",
    );
  });

  test("a link that git tracks", async () => {
    await using root = await temporaryTree(tree);
    await symlink("agent.ts", join(root.path, "src/link.ts"));
    git(root.path, "init", "--quiet");
    await expect(buildBundle(root.path, environment)).rejects.toThrow("- src/link.ts: it is a symbolic link");
  });

  test("special files", async () => {
    await using root = await temporaryTree(tree);
    execFileSync("mkfifo", [join(root.path, "pipe")]);
    await expect(buildBundle(root.path, environment)).rejects.toThrow("- pipe: it is not a regular file");
  });

  test("a repository inside the repository", async () => {
    await using root = await temporaryTree({ ...tree, "vendor/lib/a.ts": "x" });
    git(root.path, "init", "--quiet");
    git(join(root.path, "vendor/lib"), "init", "--quiet");
    await expect(buildBundle(root.path, environment)).rejects.toThrow("vendor/lib/: it is a separate git repository");
  });

  test("a directory without dari.yml at its root", async () => {
    await using root = await temporaryTree({ "src/dari.yml": manifest });
    await expect(buildBundle(root.path, environment)).rejects.toThrow("has no dari.yml at its root");
  });

  test("a repository that git cannot read is refused, because ignored files are unknown", async () => {
    await using root = await temporaryTree({ ...tree, ".git/HEAD": "broken" });
    await expect(buildBundle(root.path, environment)).rejects.toThrow("cannot read the git repository");
    const without = { ...environment, PATH: "/nonexistent" };
    await expect(buildBundle(root.path, without)).rejects.toThrow("git is not installed");
  });
});

function git(root: string, ...args: string[]): string {
  const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
  return execFileSync("git", ["-C", root, ...identity, ...args], { encoding: "utf8", env: environment });
}

async function bundledPaths(root: string): Promise<string[]> {
  await using bundle = await buildBundle(root, environment);
  return bundle.files.map(({ path }) => path);
}

async function membersOf(archive: Buffer): Promise<Header[]> {
  const members: Header[] = [];
  const reader = extract();
  reader.on("entry", (header, stream, next) => {
    members.push(header);
    stream.on("end", next).resume();
  });
  await pipeline(Readable.from([gunzipSync(archive)]), reader);
  return members;
}
