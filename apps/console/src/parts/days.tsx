// A bar chart with one figure per day. Each bar has a label, and a table has all figures.

interface DaysProps {
  readonly label: string;
  /** Dates such as `2026-11-25` with their figures, oldest first. */
  readonly days: readonly { readonly date: string; readonly amount: number }[];
  readonly say: (amount: number) => string;
}

export function Days({ label, days, say }: DaysProps) {
  const most = Math.max(...days.map(({ amount }) => amount), Number.MIN_VALUE);
  return (
    <ol className="days" aria-label={label}>
      {days.map(({ date, amount }, index) => (
        <li key={date} title={`${date}: ${say(amount)}`}>
          <span className="column">
            <span className="amount">{say(amount)}</span>
            {amount > 0 && <span className="bar" style={{ flexBasis: `${(amount / most) * 100}%` }} />}
          </span>
          <time dateTime={date} className={days.length > 10 && index % 5 !== 0 ? "skipped" : undefined}>
            {date.slice(5)}
          </time>
        </li>
      ))}
    </ol>
  );
}
