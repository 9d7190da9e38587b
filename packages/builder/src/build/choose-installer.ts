// Chooses the program that installs a bundle's dependencies, and its arguments. Starts none.

import type { Runtime } from "../runtimes/runtime.ts";
import type { Installer, InstallTools } from "./installer.ts";
import { chooseNodeInstaller } from "./node-installers.ts";
import { choosePythonInstaller } from "./python-installers.ts";

/**
 * @returns undefined if the bundle has no dependencies: such an agent needs neither installer nor network.
 * @throws BuildFailedError for an unreadable package.json, or if the worker has no installer for it.
 */
export function chooseInstaller(
  root: string,
  runtime: Runtime,
  tools: InstallTools,
  entryFile: string,
): Promise<Installer | undefined> {
  return runtime.language === "python"
    ? choosePythonInstaller(root, runtime, tools, entryFile)
    : chooseNodeInstaller(root, runtime, tools);
}
