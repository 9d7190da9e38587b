// Printed text in a box of its own. Long ones are cut at the front: a page of megabytes is of no use.

const shownChars = 200_000;

interface LogProps {
  readonly text: string;
  readonly label: string;
  readonly empty?: string;
}

export function Log({ text, label, empty = "Nothing." }: LogProps) {
  if (text === "") return <p className="faint">{empty}</p>;
  const cut = text.length - shownChars;
  return (
    <pre className="log" tabIndex={0} role="region" aria-label={label}>
      {cut > 0 && <span className="faint">{`… ${cut} characters before\n`}</span>}
      {cut > 0 ? text.slice(cut) : text}
    </pre>
  );
}
