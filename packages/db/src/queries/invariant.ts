// One invariant: a query that returns the rows that break it.

export interface Invariant {
  readonly name: string;
  readonly says: string;
  /** What it costs: the rows that it reads of each session in question. */
  readonly reads: string;
  readonly query: string;
}
