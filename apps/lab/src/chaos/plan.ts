// One chaos run: its faults, its load and its sizes.

import type { Fault } from "./faults/fault.ts";
import type { Load } from "./load/generator.ts";
import type { StageOptions } from "./stage/stage.ts";

export interface StrikePlan {
  readonly name: string;
  readonly faults: readonly Fault[];
  /** alone and together: each strikes its rounds; mixed: all of them at random, until the load is sent. */
  readonly mode: "alone" | "together" | "mixed";
  readonly load: { readonly turns: number };
}

export interface Plan extends StrikePlan, StageOptions {
  readonly seed: number;
  readonly load: Load;
  readonly tenants: number;
  readonly sessions: number;
  /** Multiplies the time limits, for a busy machine. */
  readonly stretch: number;
}
