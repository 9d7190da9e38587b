// Draws Markdown as elements. Never HTML: what an agent writes runs nothing.

import { memo, type ReactNode } from "react";
import { CopyButton } from "../parts/copyable.tsx";
import { SessionPicture } from "../parts/picture.tsx";
import Code from "./code.tsx";
import { parseMarkdown, type Block, type Inline, type Item } from "./parse-markdown.ts";

/** Drawn again only if the text changes: a conversation has hundreds of answers. */
const Markdown = memo(function Markdown({ text }: { readonly text: string }) {
  return <div className="markdown">{drawBlocks(parseMarkdown(text))}</div>;
});
export default Markdown;

function drawBlocks(blocks: readonly Block[]): ReactNode {
  return blocks.map((block, index) => <BlockView key={index} block={block} />);
}

function BlockView({ block }: { readonly block: Block }) {
  switch (block.kind) {
    case "heading":
      // The page's own headings are the levels 1 and 2.
      return <p className={`heading level-${Math.min(4, block.level)}`}>{drawInline(block.of)}</p>;
    case "paragraph":
      return <p>{drawInline(block.of)}</p>;
    case "code":
      return <CodeBlock text={block.text} language={block.language} />;
    case "quote":
      return <blockquote>{drawBlocks(block.of)}</blockquote>;
    case "list":
      return block.isOrdered ? (
        <ol start={block.start}>{block.items.map(drawItem)}</ol>
      ) : (
        <ul>{block.items.map(drawItem)}</ul>
      );
    case "table":
      return <TableView {...block} />;
    case "rule":
      return <hr />;
  }
}

function drawItem({ isDone, of }: Item, index: number): ReactNode {
  const [only] = of;
  const content = of.length === 1 && only?.kind === "paragraph" ? drawInline(only.of) : drawBlocks(of);
  return (
    <li key={index} className={isDone === undefined ? undefined : "task"}>
      {isDone !== undefined && <span aria-label={isDone ? "done" : "open"}>{isDone ? "☑ " : "☐ "}</span>}
      {content}
    </li>
  );
}

function TableView({ head, isRight, rows }: Extract<Block, { readonly kind: "table" }>) {
  return (
    <div className="wide-box" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>
            {head.map((cell, index) => (
              <th key={index} scope="col" className={isRight[index] === true ? "number" : undefined}>
                {drawInline(cell)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells, row) => (
            <tr key={row}>
              {cells.map((cell, index) => (
                <td key={index} className={isRight[index] === true ? "number" : undefined}>
                  {drawInline(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function CodeBlock({ text, language }: { readonly text: string; readonly language: string }) {
  return (
    <div className="code-block">
      <CopyButton text={text} of="the code" />
      <pre tabIndex={0} role="region" aria-label={language === "" ? "Code" : `Code in ${language}`}>
        <Code text={text} language={language} />
      </pre>
    </div>
  );
}

function drawInline(parts: readonly Inline[]): ReactNode {
  return parts.map((part, index) => <InlineView key={index} part={part} />);
}

function InlineView({ part }: { readonly part: Inline }) {
  switch (part.kind) {
    case "text":
      return part.text;
    case "code":
      return <code>{part.text}</code>;
    case "strong":
      return <strong>{drawInline(part.of)}</strong>;
    case "em":
      return <em>{drawInline(part.of)}</em>;
    case "del":
      return <del>{drawInline(part.of)}</del>;
    case "link":
      return (
        <>
          <a href={part.href} target="_blank" rel="noopener noreferrer nofollow">
            <bdi>{drawInline(part.of)}</bdi>
          </a>
          {part.target !== undefined && (
            <bdi className="target" dir="ltr">
              {" "}
              ({part.target})
            </bdi>
          )}
        </>
      );
    case "picture":
      return <SessionPicture path={part.path} label={part.label} />;
    case "break":
      return <br />;
  }
}
