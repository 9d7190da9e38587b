// What one chaos run does: its faults, its load and its sizes.

import type { Fault } from "./faults/fault.ts";
import type { Load } from "./load/generator.ts";
import type { StageOptions } from "./stage/stage.ts";

export interface StrikePlan {
  readonly name: string;
  readonly faults: readonly Fault[];
  /** alone, together: each strikes its rounds; mixed: whichever, until the load is sent. */
  readonly mode: "alone" | "together" | "mixed";
  readonly load: { readonly turns: number };
}

export interface Plan extends StrikePlan, StageOptions {
  readonly seed: number;
  readonly load: Load;
  readonly tenants: number;
  readonly sessions: number;
  /** How much more time than its bounds the machine is given. */
  readonly stretch: number;
}
