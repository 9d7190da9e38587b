// Reads Markdown into blocks: marked finds the tokens, this keeps what the console draws. HTML stays text.

import { Lexer, type MarkedToken, type Token, type Tokens } from "marked";
import { picturePath } from "../data/pictures.ts";

export type Inline =
  | { readonly kind: "text" | "code"; readonly text: string }
  | { readonly kind: "strong" | "em" | "del"; readonly of: readonly Inline[] }
  | {
      readonly kind: "link";
      readonly href: string;
      readonly of: readonly Inline[];
      /** Where the link leads: a host or a mail address. Undefined if its text is the address. */
      readonly target?: string;
    }
  | { readonly kind: "picture"; readonly path: string; readonly label: string }
  | { readonly kind: "break" };

export interface Item {
  /** Undefined if the item is no task. */
  readonly isDone?: boolean | undefined;
  readonly of: readonly Block[];
}

export type Block =
  | { readonly kind: "heading"; readonly level: number; readonly of: readonly Inline[] }
  | { readonly kind: "paragraph"; readonly of: readonly Inline[] }
  | { readonly kind: "code"; readonly language: string; readonly text: string }
  | { readonly kind: "quote"; readonly of: readonly Block[] }
  | { readonly kind: "list"; readonly isOrdered: boolean; readonly start: number; readonly items: readonly Item[] }
  | {
      readonly kind: "table";
      readonly head: readonly (readonly Inline[])[];
      /** Whether each column is aligned to the right, as figures are. */
      readonly isRight: readonly boolean[];
      readonly rows: readonly (readonly (readonly Inline[])[])[];
    }
  | { readonly kind: "rule" };

/** How deeply quotes and lists may be nested. What is deeper stays text. */
const depthMax = 8;
/** Longer paragraphs are not read for emphasis and links: the time would grow faster than the text. */
const inlineCharsMax = 6_000;

/** Leaves text that an agent can make slow or deep as it is. */
class BoundedLexer extends Lexer {
  #depth = 0;

  override blockTokens<T extends Token[]>(source: string, tokens = [] as unknown as T, isClipped?: boolean): T {
    if (this.#depth > depthMax) tokens.push({ type: "text", raw: source, text: source });
    else {
      this.#depth += 1;
      super.blockTokens(source, tokens, isClipped);
      this.#depth -= 1;
    }
    return tokens;
  }

  override inlineTokens(source: string, tokens: Token[] = []): Token[] {
    if (source.length <= inlineCharsMax) return super.inlineTokens(source, tokens);
    tokens.push({ type: "text", raw: source, text: source });
    return tokens;
  }
}

type OfKind<Kind extends MarkedToken["type"]> = Extract<MarkedToken, { readonly type: Kind }>;
type TextToken = OfKind<"text" | "html" | "checkbox">;
type BlockToken =
  OfKind<"heading" | "paragraph" | "code" | "blockquote" | "list" | "table" | "hr" | "space" | "def"> | TextToken;
type InlineToken = OfKind<"codespan" | "strong" | "em" | "del" | "br" | "link" | "image" | "escape"> | TextToken;

export function parseMarkdown(text: string): readonly Block[] {
  return blocksOf(new BoundedLexer({ gfm: true }).lex(text));
}

function blocksOf(tokens: readonly Token[]): readonly Block[] {
  return tokens.flatMap((token) => toBlock(token as BlockToken) ?? []);
}

function toBlock(token: BlockToken): Block | undefined {
  switch (token.type) {
    case "heading":
      return { kind: "heading", level: token.depth, of: inlinesOf(token.tokens) };
    case "code":
      return {
        kind: "code",
        language: /^[\w+#.-]*/.exec(token.lang ?? "")?.[0] ?? "",
        text: token.text.replace(/\n$/, ""),
      };
    case "blockquote":
      return { kind: "quote", of: blocksOf(token.tokens) };
    case "list":
      return { kind: "list", isOrdered: token.ordered, start: Number(token.start), items: token.items.map(toItem) };
    case "table":
      return {
        kind: "table",
        head: token.header.map((cell) => inlinesOf(cell.tokens)),
        isRight: token.align.map((side) => side === "right"),
        rows: token.rows.map((cells) => cells.map((cell) => inlinesOf(cell.tokens))),
      };
    case "hr":
      return { kind: "rule" };
    case "space":
    case "def":
    case "checkbox":
      return undefined;
    case "paragraph":
      return { kind: "paragraph", of: inlinesOf(token.tokens) };
    case "text":
      return { kind: "paragraph", of: token.tokens === undefined ? [textOf(token.text)] : inlinesOf(token.tokens) };
    case "html":
      return { kind: "paragraph", of: [textOf(token.raw)] };
  }
}

function toItem({ task, checked, tokens }: Tokens.ListItem): Item {
  return { isDone: task ? checked === true : undefined, of: blocksOf(tokens) };
}

function inlinesOf(tokens: readonly Token[]): readonly Inline[] {
  return tokens.flatMap((token) => toInline(token as InlineToken) ?? []);
}

function toInline(token: InlineToken): Inline | undefined {
  switch (token.type) {
    case "codespan":
      return { kind: "code", text: token.text };
    case "strong":
    case "em":
    case "del":
      return { kind: token.type, of: inlinesOf(token.tokens) };
    case "br":
      return { kind: "break" };
    case "link":
      return toLink(token);
    case "image": {
      // Only files of the workspace are pictures. A picture from elsewhere is not loaded, so it is a link.
      const path = picturePath(token.href);
      return path === undefined ? toLink(token) : { kind: "picture", path, label: token.text };
    }
    case "checkbox":
      return undefined;
    case "text":
    case "escape":
      return textOf(token.text);
    case "html":
      return textOf(token.raw);
  }
}

const textOf = (text: string): Inline => ({ kind: "text", text });

/** Only web and mail addresses become links. */
function toLink({ href, text, raw, tokens }: Tokens.Link | Tokens.Image): Inline {
  const target = targetOf(href);
  if (target === undefined) return textOf(raw);
  if (text === "" || href === text || href === `mailto:${text}`) {
    const of = [textOf(text === "" ? href : text)];
    // A user name in front of the host can look like a host.
    return new URL(href).username === "" ? { kind: "link", href, of } : { kind: "link", href, of, target };
  }
  return { kind: "link", href, of: withoutLinks(inlinesOf(tokens)), target };
}

/** A link in the text of another link would lead elsewhere. */
function withoutLinks(parts: readonly Inline[]): readonly Inline[] {
  return parts.flatMap((part) => {
    if (part.kind === "link") return withoutLinks(part.of);
    return "of" in part ? [{ ...part, of: withoutLinks(part.of) }] : [part];
  });
}

/** Returns the host or the mail address; undefined for every other kind of address. */
function targetOf(href: string): string | undefined {
  if (!/^(https?:\/\/|mailto:)/i.test(href) || !URL.canParse(href)) return undefined;
  const { protocol, host, pathname } = new URL(href);
  if (protocol === "mailto:") return pathname;
  return protocol === "https:" || protocol === "http:" ? host : undefined;
}
