// A text to be taken elsewhere: a command, an id, a new key.

import { useState } from "react";

interface CopyableProps {
  readonly text: string;
  /** What is shown of it; all by default. */
  readonly shown?: string;
}

export function Copyable({ text, shown = text }: CopyableProps) {
  const [isCopied, setCopied] = useState(false);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <span className="copyable">
      <code>{shown}</code>
      <button type="button" className="quiet" onClick={copy} aria-label={`Copy ${shown}`}>
        {isCopied ? "Copied" : "Copy"}
      </button>
    </span>
  );
}
