// Lines for the terminal of `npm start`: one for each turn that has ended, or waits for an answer.

/** What a line says about a turn and its log line does not. */
export interface TurnNames {
  /** The agent's name. */
  readonly agent: string;
  /** The number of the message in its session. */
  readonly number: number;
}

/** The ids of a turn, as they are logged. */
export interface TurnIds {
  readonly org: string;
  readonly agent: string;
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Returns an observer of log lines that says a line for each `turn.finished`. `readNames` may reject: the line then has
 * the agent's id.
 */
export function sayTurns(
  say: (line: string) => void,
  readNames: (ids: TurnIds) => Promise<TurnNames>,
): (fields: object, event: string) => void {
  return (fields, event) => {
    if (event !== "turn.finished") return;
    const outcome = outcomeOf(fields as Fields);
    if (outcome === undefined) return;
    const { org, agent, session, message } = fields as Readonly<Record<string, string>>;
    const clock = new Date().toTimeString().slice(0, 8);
    const tell = (name: string, number: string): void => {
      const shown = name.replaceAll(/\p{Cc}/gu, "");
      say(`${clock}  ${shown}  ${session}  turn ${number}  ${outcome}  ${secondsOf(fields as Fields)}`);
    };
    const ids = { org: org ?? "", agent: agent ?? "", message: message ?? "" };
    readNames(ids).then(
      (names) => tell(names.agent, String(names.number)),
      () => tell(ids.agent, "?"),
    );
  };
}

/** Returns undefined for a turn that another worker has taken over: that worker's line follows. */
function outcomeOf({ recorded, code }: Fields): string | undefined {
  const why = typeof code === "string" ? ` (${code})` : "";
  switch (recorded) {
    case "superseded":
      return undefined;
    case "suspended":
      return "waits for an answer";
    case "released":
      return "given back, as the platform stops";
    case "retry":
      return `failed${why}, will be retried`;
    default:
      return `${String(recorded)}${why}`;
  }
}

/** Returns the time from the claim to the end. */
function secondsOf(fields: Fields): string {
  const phases = Object.entries(fields).filter(([name]) => name.endsWith("_ms") && name !== "queue_ms");
  const ms = phases.reduce((sum, [, value]) => sum + (typeof value === "number" ? value : 0), 0);
  return `${(ms / 1_000).toFixed(1)} s`;
}
