// Builds the programs of this package for every machine that they run on:
//   node packages/native/build.mjs           writes bin/
//   node packages/native/build.mjs --check   fails if bin/ is not, byte for byte, what the sources build
//   node packages/native/build.mjs --digest  prints the digest of the sources, for a test that needs no compiler
// Needs Python 3 with venv. It installs the compiler that compiler.txt pins into .cache/ of the repository.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const cache = join(here, "../../.cache");
const programs = join(here, "programs");
const requirements = join(here, "compiler.txt");
const digestFile = "sources.sha256";

/** Directories of bin/, by Node's platform and architecture. */
const targets = { "linux-x64": "x86_64-linux-musl", "linux-arm64": "aarch64-linux-musl" };
/** Sources of modules for Node. */
const modules = ["capabilities", "fork"];
const common = ["-Os", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument", "-s"];
const forProgram = ["-static", "-Wl,--build-id=none", "-Wl,--gc-sections", "-ffunction-sections", "-fdata-sections"];
// Linked against no library: Node provides its functions with either C library.
const forModule = ["-shared", "-nostdlib", "-Wl,--build-id=none"];

function sha256(text) {
  return createHash("sha256").update(text).digest("hex");
}

/** Changes with everything that affects the build. */
function digestOfSources() {
  const sources = fs.readdirSync(programs).map((name) => join(programs, name));
  const files = [...sources, requirements, fileURLToPath(import.meta.url)].sort();
  return sha256(files.map((file) => `${relative(here, file)} ${sha256(fs.readFileSync(file))}\n`).join(""));
}

/** Returns the path of the compiler, after installing it if necessary. */
function installCompiler() {
  const dir = join(cache, `zig-${sha256(fs.readFileSync(requirements)).slice(0, 12)}`);
  const compiler = join(dir, "ziglang/zig");
  if (fs.existsSync(compiler)) return compiler;
  fs.mkdirSync(cache, { recursive: true });
  const work = fs.mkdtempSync(join(cache, "zig-install-"));
  try {
    const run = (command, args) => execFileSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });
    run("python3", ["-m", "venv", join(work, "venv")]);
    const options = ["--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"];
    const pip = ["-m", "pip", "--disable-pip-version-check", "install", ...options];
    run(join(work, "venv/bin/python"), [...pip, "--target", join(work, "zig"), "--requirement", requirements]);
    fs.renameSync(join(work, "zig"), dir);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
  return compiler;
}

/** Fills `dir` with the contents of bin/. */
function build(dir) {
  const compiler = installCompiler();
  const sources = fs
    .readdirSync(programs)
    .filter((name) => name.endsWith(".c") && !modules.includes(name.slice(0, -2)));
  const cacheDir = join(cache, "zig-objects");
  // No other variables, because compilers read include paths from them.
  const env = { ZIG_GLOBAL_CACHE_DIR: cacheDir, ZIG_LOCAL_CACHE_DIR: cacheDir };
  for (const [name, target] of Object.entries(targets)) {
    const out = join(dir, name);
    fs.mkdirSync(out, { recursive: true });
    // Relative names of sources, so that no path of this machine gets into the output.
    const compile = (args) =>
      execFileSync(compiler, ["cc", "-target", target, "-mcpu=baseline", ...common, ...args], {
        cwd: programs,
        env,
        stdio: ["ignore", "inherit", "inherit"],
      });
    compile([...forProgram, "-o", join(out, "dari-native"), ...sources.sort()]);
    for (const module of modules) {
      const object = join(out, `${module}.o`);
      compile(["-fPIC", "-c", "-o", object, `${module}.c`]);
      compile([...forModule, "-o", join(out, `${module}.node`), object]);
      fs.rmSync(object);
      fs.chmodSync(join(out, `${module}.node`), 0o644);
    }
    fs.chmodSync(join(out, "dari-native"), 0o755);
  }
  fs.writeFileSync(join(dir, digestFile), `${digestOfSources()}\n`);
}

function listFiles(dir) {
  const entries = fs.existsSync(dir) ? fs.readdirSync(dir, { recursive: true, withFileTypes: true }) : [];
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(dir, join(entry.parentPath, entry.name)));
}

/** Returns the files that differ between the directories. */
function differences(one, other) {
  const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file) : Buffer.of());
  const names = [...new Set([...listFiles(one), ...listFiles(other)])].sort();
  return names.filter((name) => !read(join(one, name)).equals(read(join(other, name))));
}

function main(option) {
  if (option === "--digest") return console.log(digestOfSources());
  if (option !== undefined && option !== "--check") throw new Error(`unknown option ${option}`);
  const bin = join(here, "bin");
  fs.mkdirSync(cache, { recursive: true });
  const fresh = fs.mkdtempSync(join(cache, "native-"));
  try {
    build(fresh);
    const changed = differences(fresh, bin);
    if (option === "--check" && changed.length > 0) {
      throw new Error(`bin/ is not what the sources build (${changed.join(", ")}); run packages/native/build.mjs`);
    }
    for (const name of changed) {
      fs.mkdirSync(dirname(join(bin, name)), { recursive: true });
      if (fs.existsSync(join(fresh, name))) fs.renameSync(join(fresh, name), join(bin, name));
      else fs.rmSync(join(bin, name));
    }
    console.log(changed.length === 0 ? "bin/ is what the sources build" : `written: ${changed.join(", ")}`);
  } finally {
    fs.rmSync(fresh, { recursive: true, force: true });
  }
}

main(process.argv[2]);
