// What a worker says about itself in its row. The dispatcher, `dari doctor` and the fleet's page read it.

export interface WorkerReport {
  /** Its process on its machine. */
  readonly pid: number;
  /** The name of the sandbox driver, and what the driver guarantees on this machine. */
  readonly sandbox: string;
  readonly guarantees: {
    readonly isolated: boolean;
    /** How each limit of a turn is applied, by its name. */
    readonly limits: Readonly<Record<string, string>>;
    readonly notes: readonly string[];
  };
  /** What the machine does not give to sandboxes, and what an operator can do. */
  readonly missing: readonly { readonly what: string; readonly fix: string }[];
  /** The worker's DARI_MINIMUM_ISOLATION. */
  readonly minimumIsolation: string;
  readonly memory: { readonly availableBytes: number; readonly neededBytes: number };
  /** How many turns it starts at the same time. */
  readonly startsMax: number;
  /** Maximum number of turns of one organization, because its processors are busy. Null: they are not. */
  readonly organizationMax: number | null;
  /** Its clock, in milliseconds since 1970. */
  readonly clockMs: number;
  readonly disk: { readonly freeBytes: number };
}
