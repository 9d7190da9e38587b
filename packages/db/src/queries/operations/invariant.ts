// An invariant: a query that returns the rows that break it.

export interface Invariant {
  readonly name: string;
  readonly says: string;
  /** Its cost: the rows that it reads per checked session. */
  readonly reads: string;
  readonly query: string;
}
