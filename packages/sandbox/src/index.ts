// Run one program in isolation with limits; one interface, several drivers.

export { createBwrapDriver } from "./bwrap-driver.ts";
export { chooseDriver, NoSandboxDriverError, type ChosenDriver } from "./choose-driver.ts";
export { createProcessDriver } from "./process-driver.ts";
export {
  SandboxStartError,
  type DriverName,
  type Guarantees,
  type ProbeResult,
  type Sandbox,
  type SandboxDriver,
  type SandboxExit,
  type SandboxLimits,
  type SandboxPaths,
  type SandboxSpec,
  type SandboxUsage,
} from "./types.ts";
