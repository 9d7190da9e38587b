// The states of a sandbox of the pool. The README shows them as a picture.

/**
 * - `starting`: it is started or forked before a turn asks for it, and loads its agent.
 * - `preloaded`: it waits for a turn with its key.
 * - `serving`: it belongs to one turn.
 * - `kept`: its turn has ended. It is stopped, and only the next turn of the same session can use it.
 * - `ending`: it is being killed.
 * - `ended`: nothing of it is alive. Its slot can be used again.
 */
export type SandboxState = "starting" | "preloaded" | "serving" | "kept" | "ending" | "ended";

/** For each state, the states that can follow it. */
export const sandboxTransitions: Readonly<Record<SandboxState, readonly SandboxState[]>> = {
  starting: ["preloaded", "serving", "ending"],
  preloaded: ["serving", "ending"],
  serving: ["kept", "ending"],
  kept: ["serving", "ending"],
  ending: ["ended"],
  ended: [],
};

export interface StateHolder {
  readonly state: SandboxState;
  /** @throws if `next` cannot follow the present state */
  moveTo(next: SandboxState): void;
}

export function createState(): StateHolder {
  let state: SandboxState = "starting";
  return {
    get state() {
      return state;
    },
    moveTo(next) {
      if (!sandboxTransitions[state].includes(next)) throw new Error(`a sandbox cannot go from ${state} to ${next}`);
      state = next;
    },
  };
}
