// Decides how the memory of this machine bounds the turns of the worker.

import type { ServiceSettings } from "@dari/control/assembly";
import type { ChosenDriver } from "@dari/sandbox";
import {
  createMemoryReader,
  createRunningTurns,
  planMemory,
  readMemoryLimit,
  type RunningTurnsOptions,
  type TurnMemory,
} from "@dari/sandbox-pool";
import { countMachineSlots, readMachineLimits } from "./count-machine-slots.ts";
import { canBoundSandboxes } from "./find-missing-capabilities.ts";
import { defaultPlannedSlots, getReservedBytes } from "./reserve-turn-memory.ts";
import { watchProcessors } from "./watch-processors.ts";

const memoryReadEveryMs = 50;

/** A young turn is expected to hold at most this part of the default memory limit, whatever other turns hold. */
const expectedPartMax = 1 / 4;

/** The settings that the rule follows, as in config.ts. */
export interface TurnMemorySettings {
  readonly slots: number | undefined;
  readonly memoryMb: number | undefined;
  readonly turnReservedMb: number | undefined;
  /** See `WorkerAssembly`. */
  readonly plannedMb?: number;
  readonly turnMemoryBytes: number;
  /** Whether the platform has several organizations. */
  readonly isShared: boolean;
}

/** How the worker decides how many turns run. */
export interface TurnRule {
  readonly slots: number;
  readonly turnMemory: TurnMemory;
  readonly areProcessorsBusy?: (() => boolean) | undefined;
}

/**
 * Admits turns by what they hold if the kernel can limit and measure each sandbox, no setting says how much to set
 * aside, and the platform has one organization. Otherwise, sets a fixed amount aside for each turn.
 */
export function openTurnMemory(
  settings: TurnMemorySettings,
  { memoryMaxBytes }: ServiceSettings["turnBounds"],
  { driver, guarantees }: Pick<ChosenDriver, "driver" | "guarantees">,
  o: Pick<RunningTurnsOptions, "endWaiting" | "log">,
): TurnRule {
  const { memoryMb, turnReservedMb, plannedMb, turnMemoryBytes, isShared } = settings;
  const readMemory = createMemoryReader(memoryReadEveryMs);
  // The driver landlock has few users on a machine.
  const canMeasure = canBoundSandboxes(guarantees) && !driver.picksHostUser;
  const isPlanned = memoryMb !== undefined || turnReservedMb !== undefined;
  if (canMeasure && !isPlanned && !isShared) {
    const slots = settings.slots ?? countMachineSlots(readMachineLimits());
    const expectedMaxBytes = turnMemoryBytes * expectedPartMax;
    const turnMemory = createRunningTurns({ ...o, readMemory, expectedMaxBytes });
    return { slots, turnMemory, areProcessorsBusy: settings.slots === undefined ? watchProcessors() : undefined };
  }
  const wanted = settings.slots ?? defaultPlannedSlots;
  const memoryBytes = memoryMb === undefined ? undefined : memoryMb * 1024 ** 2;
  const reservedBytes = getReservedBytes(
    { turnMemoryBytes, turnReservedMb: turnReservedMb ?? plannedMb },
    memoryMaxBytes,
  );
  const plan = planMemory({ slots: wanted, limitBytes: readMemoryLimit(), memoryBytes, reservedBytes }, readMemory);
  if (plan.slots < wanted) {
    o.log.warn({ slots: plan.slots, wanted, bytes: plan.budgetBytes }, "worker.memory_bounds_slots");
  }
  return { slots: plan.slots, turnMemory: plan.turns };
}
