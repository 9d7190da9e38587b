// The directories of one sandbox: checked before the sandbox starts, and cleaned up after it.

import { lchown, mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { removeTree } from "@dari/native";
import { isExecutable } from "../launch/find-programs.ts";
import { SandboxStartError, type FolderMaker, type SandboxSpec } from "../types.ts";

/**
 * Checks the paths of a spec, and creates a /tmp on the disk. @throws SandboxStartError that names the wrong path: a
 * launcher would only report that something was not found
 */
export async function checkSpec(spec: SandboxSpec): Promise<void> {
  const interpreter = spec.argv[0];
  if (interpreter === undefined || !isAbsolute(interpreter)) {
    throw new SandboxStartError(`the program must be an absolute path, not ${JSON.stringify(interpreter)}`);
  }
  checkStrings(spec);
  const directories = [spec.imageDir, join(spec.slotDir, "workspace"), join(spec.slotDir, "state")];
  const wrong = await Promise.all([
    isExecutable(interpreter).then((is) => !is && `${interpreter} does not exist or is not executable`),
    ...directories.map(async (path) => {
      if (!isAbsolute(path)) return `${path} is not an absolute path`;
      return !(await isDirectory(path)) && `${path} is not a directory`;
    }),
    ...spec.readOnlyPaths.map(async (path) => !(isAbsolute(path) && (await exists(path))) && `${path} does not exist`),
  ]);
  const reason = wrong.find((one) => one !== false);
  if (reason !== undefined) throw new SandboxStartError(reason);
  const tmp = diskTmpOf(spec);
  if (tmp !== undefined) await mkdir(tmp.dir, { recursive: true, mode: 0o700 });
}

/**
 * Refuses strings with NUL, which ends a string for the kernel and an option for a launcher, and so could add options.
 */
function checkStrings(spec: SandboxSpec): void {
  const paths = [spec.imageDir, spec.slotDir, ...spec.readOnlyPaths, ...spec.argv];
  if (paths.some((path) => path.includes("\0"))) throw new SandboxStartError("a path or an argument contains NUL");
  for (const [name, value] of Object.entries(spec.env)) {
    if (name === "" || /[=\0]/.test(name)) {
      throw new SandboxStartError(`${JSON.stringify(name)} is not a valid name of a variable`);
    }
    if (value.includes("\0")) throw new SandboxStartError(`the value of the variable ${name} contains NUL`);
  }
}

/** Returns the environment of a program: the spec's variables, PATH, LANG, TMPDIR and HOME. Nothing of this process. */
export function programEnvironment(spec: SandboxSpec, o: { home: string; tmp: string }): Record<string, string> {
  return {
    PATH: `${dirname(spec.argv[0]!)}:/usr/local/bin:/usr/bin:/bin`,
    LANG: "C.UTF-8",
    TMPDIR: o.tmp,
    ...spec.env,
    HOME: o.home,
  };
}

/** Returns the directory of /tmp and its limit, if /tmp is on the disk. */
export function diskTmpOf({
  slotDir,
  diskTmpBytes,
}: Pick<SandboxSpec, "slotDir" | "diskTmpBytes">): { dir: string; bytes: number } | undefined {
  return diskTmpBytes === undefined ? undefined : { dir: join(slotDir, "tmp"), bytes: diskTmpBytes };
}

export async function removeDiskTmp(spec: SandboxSpec): Promise<void> {
  const tmp = diskTmpOf(spec);
  if (tmp !== undefined) await removeTree(tmp.dir);
}

/**
 * The folders `input/` and `output/` of a workspace. They exist while the program runs, and are removed afterwards if
 * they are empty.
 */
export interface WorkingFolders {
  create(): Promise<void>;
  removeUnused(): Promise<void>;
}

const inThisProcess: FolderMaker = {
  async makeFolder(path, owner) {
    await mkdir(path);
    // The agent may already run, and may have replaced the folder by a link.
    if (owner !== undefined) await lchown(path, owner, owner);
  },
  removeFolder: rmdir,
};

/** `owner`: user and group of created folders (default: this process's). */
export function openWorkingFolders(
  slotDir: string,
  {
    owner,
    maker = inThisProcess,
  }: { readonly owner?: number | undefined; readonly maker?: FolderMaker | undefined } = {},
): WorkingFolders {
  const created: string[] = [];
  return {
    async create() {
      const making = ["input", "output"].map(async (name) => {
        const path = join(slotDir, "workspace", name);
        // If the agent has a file or a link with this name, keep it.
        await maker.makeFolder(path, owner).then(
          () => void created.push(path),
          (error: NodeJS.ErrnoException) => {
            if (error.code !== "EEXIST") throw error;
          },
        );
      });
      await Promise.all(making);
    },
    async removeUnused() {
      await Promise.all(created.splice(0).map((path) => maker.removeFolder(path).catch(() => {})));
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
