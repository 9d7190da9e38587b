// Draws source text with its comments, strings and keywords marked.

import { memo } from "react";
import { tokenize } from "./tokenize.ts";

interface CodeProps {
  readonly text: string;
  /** The name of a language, or the ending of a file's name. */
  readonly language: string;
}

const Code = memo(function Code({ text, language }: CodeProps) {
  return (
    <code>
      {tokenize(text, language).map(({ kind, text: part }, index) =>
        kind === "plain" ? (
          part
        ) : (
          <span key={index} className={`token ${kind}`}>
            {part}
          </span>
        ),
      )}
    </code>
  );
});
export default Code;
