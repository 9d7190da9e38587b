// The choice of how many days a page covers.

interface SpansProps<Span extends number> {
  readonly spans: readonly Span[];
  readonly value: Span;
  readonly onChange: (span: Span) => void;
}

export function Spans<Span extends number>({ spans, value, onChange }: SpansProps<Span>) {
  return (
    <div className="segments" role="group" aria-label="Days shown">
      {spans.map((days) => (
        <button key={days} type="button" aria-pressed={value === days} onClick={() => onChange(days)}>
          {days} days
        </button>
      ))}
    </div>
  );
}
