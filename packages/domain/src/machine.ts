// Declared state machines: states, and edges named by their verbs. Used for types, SQL guards and docs.

export interface Edge<S extends string> {
  readonly from: readonly S[];
  readonly to: S;
}

export interface Machine<S extends string, E extends string> {
  readonly states: readonly S[];
  readonly initial: S;
  readonly edges: Readonly<Record<E, Edge<S>>>;
}

/** Declares a machine. A misspelt state is a compile error. */
export function defineMachine<const S extends string, const E extends string>(machine: {
  states: readonly S[];
  initial: NoInfer<S>;
  edges: Record<E, { from: readonly NoInfer<S>[]; to: NoInfer<S> }>;
}): Machine<S, E> {
  return Object.freeze(machine);
}

/** States that no edge leaves. */
export function terminalStates<S extends string, E extends string>(machine: Machine<S, E>): S[] {
  const left = new Set(Object.values<Edge<S>>(machine.edges).flatMap((edge) => edge.from));
  return machine.states.filter((state) => !left.has(state));
}
