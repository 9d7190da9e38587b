// An argument or a result of a tool: JSON with colours, text as it is, never as a web page.

import { useState } from "react";
import { sizeText } from "../../../data/format.ts";
import { storedParts } from "../../../data/stored-values.ts";
import { CopyButton } from "../../../parts/copyable.tsx";
import { CodeText } from "../../../rich/rich-text.tsx";
import { Part, WholeText } from "./stored-value.tsx";

interface ValueProps {
  readonly label: string;
  readonly value: unknown;
  /** Size of the whole value if `value` is only its beginning. */
  readonly wholeBytes?: number | undefined;
  /** Id of the whole value, if it is kept. */
  readonly wholeId?: string | undefined;
}

export function Value({ label, value, wholeBytes, wholeId }: ValueProps) {
  const [whole, setWhole] = useState<string>();
  const isText = typeof value === "string";
  const text = whole ?? (isText ? value : JSON.stringify(value, null, 2));
  return (
    <div className="value">
      <p className="faint">
        {label}
        {wholeBytes !== undefined && ` · ${whole === undefined ? "the beginning of " : ""}${sizeText(wholeBytes)} `}
        {wholeBytes !== undefined && wholeId !== undefined && (
          <WholeText valueId={wholeId} bytes={wholeBytes} filename={`${label.toLowerCase()}.txt`} onText={setWhole} />
        )}
      </p>
      <div className="code-block">
        <CopyButton text={text} of={label} />
        <pre tabIndex={0} role="region" aria-label={label}>
          {isText ? text : <CodeText text={text} language="json" />}
        </pre>
      </div>
      {storedParts(value).map((part) => (
        <Part key={part.id} part={part} />
      ))}
    </div>
  );
}
