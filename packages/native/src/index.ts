// The C programs that start, confine and mount for agents, built for Linux, and the modules that run them.

export { openMounter, type MountCommand, type Mounter } from "./mounter.ts";
export { startWithCapabilities, withholdCapabilities } from "./namespace/capabilities.ts";
export { enterOwnNamespace, getNamespaceState, type NamespaceState } from "./namespace/enter.ts";
export { firstSubordinateId, readMappedIds, type IdRange } from "./namespace/mapped-ids.ts";
export { forkModule, nativeCommand, nativeFile, nativeProblem, type NativeProgram } from "./native-program.ts";
export { removeTree } from "./remove-tree.ts";
