// Runs one program in isolation with limits. One interface, several drivers.

export { createBwrapDriver } from "./bwrap/bwrap-driver.ts";
export { findControlGroupDirs } from "./limits/control-groups.ts";
export { chooseDriver, NoSandboxDriverError, type ChosenDriver } from "./choose-driver.ts";
export { adviseOnGroups, adviseOnNamespaces, readMachine, type Machine } from "./machine/advise-on-machine.ts";
export { withHostUser, hostUserRange, openHostUsers } from "./slots/host-users.ts";
export { createLandlockDriver } from "./landlock/landlock-driver.ts";
export { createOciDriver } from "./oci/oci-driver.ts";
export { createProcessDriver } from "./process/process-driver.ts";
export {
  renderCell,
  guaranteesOf,
  evidence,
  securityTable,
  tableDrivers,
  type Evidence,
  type Guarantee,
} from "./security-table.ts";
export { openSlotMounts } from "./slots/slot-mounts.ts";
export {
  LateForkError,
  SandboxStartError,
  type DriverName,
  type Exceeded,
  type Guarantees,
  type ProbeResult,
  type Sandbox,
  type SandboxDriver,
  type SandboxExit,
  type SandboxLimits,
  type SandboxReports,
  type SandboxSpec,
  type SandboxTemplate,
  type SandboxUsage,
  type SlotMounts,
} from "./types.ts";
