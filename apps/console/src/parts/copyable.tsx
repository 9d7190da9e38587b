// A text with a button that copies it: a command, an id, a new key. The button keeps its size.

import { useEffect, useState } from "react";
import { shortId } from "../data/format.ts";

/** How long the confirmation of a copy is shown, in milliseconds. */
const confirmMs = 1_600;

export function CopyButton({ text, of = text }: { readonly text: string; readonly of?: string }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), confirmMs);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <button type="button" className="icon" onClick={copy} aria-label={isCopied ? "Copied" : `Copy ${of}`} title="Copy">
      <svg viewBox="0 0 16 16" aria-hidden="true">
        {isCopied ? (
          <path d="M3 8.5l3.2 3.2L13 5" />
        ) : (
          <path d="M5.5 5.5v-3h8v8h-3m-8-5h8v8h-8z" strokeLinejoin="round" />
        )}
      </svg>
    </button>
  );
}

interface CopyableProps {
  readonly text: string;
  /** The shown text (default: the whole text). */
  readonly shown?: string;
}

export function Copyable({ text, shown = text }: CopyableProps) {
  return (
    <span className="copyable">
      <code title={shown === text ? undefined : text}>{shown}</code>
      <CopyButton text={text} of={shown} />
    </span>
  );
}

/** An id, shortened in the middle. The title and the copy have the whole id. */
export function Id({ of }: { readonly of: string }) {
  return (
    <span className="id">
      <code title={of}>{shortId(of)}</code>
      <CopyButton text={of} />
    </span>
  );
}
