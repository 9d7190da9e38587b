// What the pool knows about an agent: how its sandbox is started, and which turns can use that sandbox.

import type { AnswerRecorder, EgressRecord, ModelGate, ModelRequest } from "@dari/gateway";
import type { Sandbox, SlotMounts } from "@dari/sandbox";
import type { ImportOutput } from "./import-output.ts";

/** An empty directory for one sandbox. The files of a turn are mounted over it later. */
export interface Slot {
  readonly slotDir: string;
  readonly mounts: SlotMounts;
}

export interface SandboxRecipe {
  /** Turns with the same key can use the same preloaded sandboxes: image, credentials and settings are equal. */
  readonly key: string;
  /** The organization and version that the sandbox is for. */
  readonly group: string;
  /**
   * Digests of the values that all turns of the group share, by name. If a turn brings another value for a name, the
   * value was replaced, and every sandbox of the group that holds the old value is ended.
   */
  readonly shared: ReadonlyMap<string, string>;
  /** The host user that runs the sandbox and owns its slot (default: the user of this process). */
  readonly hostUser?: number | undefined;
  /** Set if the session's last sandbox can serve this turn, and this turn's sandbox the session's next one. */
  readonly session?: SessionTurn | undefined;
  /** Starts a sandbox. With `isPreload` it loads its agent at once; otherwise it loads the agent with its turn. */
  start(slot: Slot, o: { readonly isPreload: boolean }): Promise<StartedSandbox>;
  /**
   * Set if the agent can be loaded once and forked for each sandbox. Resolves to a text that says why if it turns out
   * that it cannot be forked. `signal` aborts when the template is no longer needed.
   */
  startTemplate?(slot: Slot, signal: AbortSignal): Promise<Template | string>;
}

/** The place of a turn in its session. */
export interface SessionTurn {
  readonly sessionId: string;
  /** The number of the turn's claim. Each claim of the session has the next number, on whichever worker it runs. */
  readonly fence: number;
  /** The snapshot that the turn starts from. */
  readonly headSnapshotId: string | null;
}

export interface StartedSandbox {
  readonly sandbox: Sandbox;
  /** From now on, what the sandbox reports belongs to this turn. */
  assignTo(turn: TurnReports): void;
  /** Releases what is held for the sandbox. Called once it is dead. */
  release(): void;
  /**
   * False once its template has not answered in time: then it serves no further turn, so that the template ends.
   * Absent: always true.
   */
  isFit?(): boolean;
}

/** Where the reports of a sandbox go while it serves a turn. */
export interface TurnReports {
  onConnection(record: EgressRecord): void;
  /** Returns false once the turn has ended. */
  onModelRequest(request: ModelRequest): boolean;
  /** See `EgressOptions`. */
  modelGate(): ModelGate | undefined;
  /** Returns what records the turn's answers of models. Undefined if nothing does, or the turn has ended. */
  findAnswerRecorder(): AnswerRecorder | undefined;
  /** Called if the agent printed something while a template loaded it. */
  onImportOutput(output: ImportOutput): void;
}

/** A process that has loaded an agent and is forked for each sandbox. It never serves a turn itself. */
export interface Template {
  /** Settles when the process is dead. */
  readonly exited: Promise<unknown>;
  /** Starts a sandbox with the agent loaded. Only one fork at a time. */
  fork(slot: Slot): Promise<StartedSandbox>;
  /** Ends the process and all its forks. */
  end(): Promise<void>;
}
