// What a fault is: data that says what it breaks, how, for how long, and what must hold all the same.

import type { Journal } from "../load/journal.ts";
import type { Sending } from "../load/generator.ts";
import type { Tenant } from "../load/tenants.ts";
import type { StageProgram } from "../stage/stage-program.ts";
import type { Stage } from "../stage/stage.ts";

/** What a fault needs for itself; two that share something never strike at the same time. */
export type Holding = "worker" | "redis" | "postgres" | "api" | "reconciler" | "load";

export interface Bounds {
  /** From the loss of a worker to the next attempt of its turns. Milliseconds, at most. */
  readonly takeoverMs?: number;
  /** Without a completion while something is open. Milliseconds, at most; the database's absence does not count. */
  readonly gapMs?: number;
  /** How much longer than before the first strike the worst start may take. Milliseconds. */
  readonly startMs?: number;
  /** Attempts that end as lost although their agent ran, at most. */
  readonly lostAttempts?: number;
  /** How much longer than before the first strike p99 of accepting may be. Milliseconds. */
  readonly acceptMs?: number;
  /** Turns may fail for want of storage. */
  readonly mayFailTurns?: boolean;
}

export interface Scene {
  readonly stage: Stage;
  readonly journal: Journal;
  readonly tenants: readonly Tenant[];
  readonly sending: Sending;
  readonly random: () => number;
  /** One fault by itself takes its real time; in a mix it is scaled. */
  readonly isAlone: boolean;
  readonly signal: AbortSignal;
  /** From now on what this worker runs is lost; takeovers are measured from here. */
  lose(worker: StageProgram): Promise<void>;
  /** The strike was seen to do what it is for. One that nobody saw shows nothing, and fails its run. */
  seen(): void;
  /** Another organization, for this run alone. */
  openTenant(sessions: number): Promise<Tenant>;
  /** Nothing is expected of the platform until the returned function is called. */
  excuse(): () => void;
  /** A figure of the fault's own, and what it may be at most. */
  measure(name: string, value: number, atMost: number): void;
  /** Something that must never be. */
  accuse(sentence: string): void;
}

export type Heal = () => Promise<void> | void;

export interface Fault {
  readonly number: number;
  readonly name: string;
  readonly says: string;
  readonly holds: readonly Holding[];
  /** From the injection to the healing. Milliseconds. */
  lastsMs(scene: Scene, round: number): number;
  /** How often it strikes when it is alone, by which it shows each of its kinds. */
  readonly rounds: number;
  inject(scene: Scene, round: number): Promise<Heal>;
  readonly bounds: Bounds;
  /** Why it cannot be had on this stage. */
  unavailable?(stage: Stage): string | undefined;
}
