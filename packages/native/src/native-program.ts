// Finds the programs of this package, and checks whether this machine can run them.

import { accessSync, constants } from "node:fs";
import { fileURLToPath } from "node:url";

/** A program of programs/programs.h. */
export type NativeProgram =
  | "confine"
  | "container"
  | "enter"
  | "group"
  | "mount"
  | "namespace"
  | "own"
  | "relay"
  | "share"
  | "start"
  | "template";

const machine = `${process.platform}-${process.arch}`;
const builtFor: readonly string[] = ["linux-x64", "linux-arm64"];
const pathOf = (name: string): string => fileURLToPath(new URL(`../bin/${machine}/${name}`, import.meta.url));

/** The executable file of all programs. Its first argument is the name of one. */
export const nativeFile = pathOf("dari-native");
/** programs/capabilities.c, which Node loads into its process. */
export const capabilitiesModule = pathOf("capabilities.node");
/** programs/fork.c, which Node loads into an agent's process that is forked for each turn. */
export const forkModule = pathOf("fork.node");

/** Returns the command line that runs a program, without the program's own arguments. */
export function nativeCommand(name: NativeProgram): readonly [file: string, name: NativeProgram] {
  return [nativeFile, name];
}

/** Returns why the programs cannot run here; undefined if they can. `file`: for tests. */
export function nativeProblem(file = nativeFile): string | undefined {
  if (!builtFor.includes(machine)) {
    const here = `${process.platform} on ${process.arch}`;
    return `the native programs are built for Linux on x64 and arm64, not for ${here}; run Dari on such a machine`;
  }
  try {
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return `${file} is missing; restore it from the repository`;
    return `${file} cannot be executed (${code}); set its mode to 755 and mount its file system without noexec`;
  }
}

/** @throws if the programs cannot run here */
export function assertNativePrograms(): void {
  const problem = nativeProblem();
  if (problem !== undefined) throw new Error(problem);
}
