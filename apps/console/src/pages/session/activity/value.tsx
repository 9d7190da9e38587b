// An argument or a result of a tool: JSON with colours, text as it is, never as a web page.

import { sizeText } from "../../../data/format.ts";
import { CopyButton } from "../../../parts/copyable.tsx";
import { CodeText } from "../../../parts/rich-text.tsx";

interface ValueProps {
  readonly label: string;
  readonly value: unknown;
  /** Size of the whole value if `value` is only its beginning. */
  readonly wholeBytes: number | undefined;
}

export function Value({ label, value, wholeBytes }: ValueProps) {
  const isText = typeof value === "string";
  const text = isText ? value : JSON.stringify(value, null, 2);
  return (
    <div className="value">
      <p className="faint">
        {label}
        {wholeBytes !== undefined && ` · the beginning of ${sizeText(wholeBytes)}`}
      </p>
      <div className="code-block">
        <CopyButton text={text} of={label} />
        <pre tabIndex={0} role="region" aria-label={label}>
          {isText ? text : <CodeText text={text} language="json" />}
        </pre>
      </div>
    </div>
  );
}
