// A fault as data: what it breaks, how, for how long, and what must still hold.

import type { Journal } from "../load/journal.ts";
import type { Sending } from "../load/generator.ts";
import type { Tenant } from "../load/tenants.ts";
import type { StageProgram } from "../stage/stage-program.ts";
import type { Stage } from "../stage/stage.ts";

/** What a fault uses exclusively. Two faults with a common resource never strike at the same time. */
export type Holding = "worker" | "redis" | "postgres" | "api" | "reconciler" | "load";

export interface Bounds {
  /** Maximum time from the loss of a worker to the next attempt of its turns, in milliseconds. */
  readonly takeoverMs?: number;
  /**
   * Maximum time without a completion while something is open, in milliseconds. Does not count times without a
   * database.
   */
  readonly gapMs?: number;
  /** How much longer than before the first strike the slowest start may take, in milliseconds. */
  readonly startMs?: number;
  /** Maximum number of attempts that end as lost although their agent ran. */
  readonly lostAttempts?: number;
  /** How much longer than before the first strike p99 of accepting may be, in milliseconds. */
  readonly acceptMs?: number;
  /** Whether turns may fail because storage is missing. */
  readonly mayFailTurns?: boolean;
}

export interface Scene {
  readonly stage: Stage;
  readonly journal: Journal;
  readonly tenants: readonly Tenant[];
  readonly sending: Sending;
  readonly random: () => number;
  /** Whether the fault runs alone: it then takes its real time; in a mix it is scaled. */
  readonly isAlone: boolean;
  readonly signal: AbortSignal;
  /** From now on, what this worker runs is lost. Takeovers are measured from here. */
  lose(worker: StageProgram): Promise<void>;
  /**
   * Call it when the strike's effect was observed. A strike without an observed effect proves nothing: the run fails.
   */
  seen(): void;
  /** Opens another organization, for this run alone. */
  openTenant(sessions: number): Promise<Tenant>;
  /** Nothing is expected of the platform until the returned function is called. */
  excuse(): () => void;
  /** Records a figure of the fault, and its maximum. */
  measure(name: string, value: number, atMost: number): void;
  /** Records something that must never happen. */
  accuse(sentence: string): void;
}

export type Heal = () => Promise<void> | void;

export interface Fault {
  readonly number: number;
  readonly name: string;
  readonly says: string;
  readonly holds: readonly Holding[];
  /** From the strike to its end, in milliseconds. */
  lastsMs(scene: Scene, round: number): number;
  /** How often it strikes if it is alone, so that it shows each of its kinds. */
  readonly rounds: number;
  inject(scene: Scene, round: number): Promise<Heal>;
  readonly bounds: Bounds;
  /** Why it is not possible on this stage. */
  unavailable?(stage: Stage): string | undefined;
}
