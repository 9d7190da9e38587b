// Which program installs a bundle's dependencies, and with which arguments. Starts none itself.

import type { Runtime } from "../runtimes/runtime.ts";
import type { Installer, InstallTools } from "./installer.ts";
import { chooseNodeInstaller } from "./node-installers.ts";
import { choosePythonInstaller } from "./python-installers.ts";

/**
 * @returns undefined when the bundle has no dependencies: such an agent needs neither installer nor network.
 * @throws BuildFailed for a package.json that cannot be read, or when the worker has no installer for it.
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
