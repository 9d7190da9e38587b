// Markdown, source text and tables. Their code is loaded when the first one is shown; until then the text is plain.

import { lazy, Suspense, useState, type ComponentType } from "react";

type TextView = ComponentType<{ readonly text: string }>;

let loadedMarkdown: TextView | undefined;
const LazyMarkdown = lazy(loadMarkdown);
const Code = lazy(() => import("./code.tsx"));
const Csv = lazy(() => import("./csv.tsx"));

async function loadMarkdown() {
  const module = await import("./markdown.tsx");
  loadedMarkdown = module.default;
  return module;
}

/** Loads the code for Markdown while the page's data is loaded, so that texts are not drawn twice. */
export function preloadMarkdown(): void {
  loadMarkdown().catch(() => undefined);
}

/** Longer texts are shown as they are. */
const markdownCharsMax = 200_000;

export function MarkdownText({ text, className = "said" }: { readonly text: string; readonly className?: string }) {
  // React would show a lazy component's fallback for 300 ms, even if its code is loaded.
  const [Markdown] = useState<TextView>(() => loadedMarkdown ?? LazyMarkdown);
  const plain = <p className={className}>{text}</p>;
  if (text.length > markdownCharsMax) return plain;
  return (
    <Suspense fallback={plain}>
      <Markdown text={text} />
    </Suspense>
  );
}

/** Source text inside a `pre`. */
export function CodeText({ text, language }: { readonly text: string; readonly language: string }) {
  return (
    <Suspense fallback={text}>
      <Code text={text} language={language} />
    </Suspense>
  );
}

/** The view of a file by the ending of its name; undefined if the text is shown as it is. */
export type FileView = "markdown" | "table" | "code";

export function viewOf(ending: string): FileView | undefined {
  if (["md", "markdown"].includes(ending)) return "markdown";
  if (["csv", "tsv"].includes(ending)) return "table";
  return codeEndings.includes(ending) ? "code" : undefined;
}

const codeEndings = "js mjs cjs jsx ts tsx py sh bash c h cpp java go rs css json jsonl sql yaml yml toml ini".split(
  " ",
);

export function FileText({
  text,
  ending,
  view,
}: {
  readonly text: string;
  readonly ending: string;
  readonly view: FileView;
}) {
  const plain = <pre className="log">{text}</pre>;
  if (view === "markdown") return <MarkdownText text={text} />;
  return (
    <Suspense fallback={plain}>
      {view === "table" ? (
        <Csv text={text} separator={ending === "tsv" ? "\t" : ","} />
      ) : (
        <pre className="log code">
          <Code text={text} language={ending} />
        </pre>
      )}
    </Suspense>
  );
}
