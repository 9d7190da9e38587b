// Divides source text into comments, strings, numbers, keywords and the rest, well enough to read it. Draws nothing.

export interface Token {
  readonly kind: "comment" | "string" | "number" | "keyword" | "plain";
  readonly text: string;
}

const cLike =
  "async await break case catch class const continue default delete do else enum export extends false finally for " +
  "from function if implements import in instanceof interface let new null of private public readonly return static " +
  "struct super switch this throw true try type typeof undefined var void while with yield fn impl match mod mut pub " +
  "use where func go defer package range select map chan int char float double bool string nil self";
const python =
  "and as assert async await break class continue def del elif else except False finally for from global if import " +
  "in is lambda None nonlocal not or pass raise return True try while with yield match case self";
const shell = "if then else elif fi for in do done case esac while until function return export local set echo exit";
const sql =
  "select from where and or not null is in insert into values update set delete join left right inner outer on group " +
  "by order limit offset as with create table index alter drop distinct union all case when then else end";
const yaml = "true false null yes no on off";

interface Language {
  readonly keywords: ReadonlySet<string>;
  /** The start of a comment that ends with the line. */
  readonly line: string;
  readonly hasBlocks: boolean;
}

function languageOf(keywords: string, line: string, hasBlocks = false): Language {
  return { keywords: new Set(keywords.split(" ")), line, hasBlocks };
}

const c = languageOf(cLike, "//", true);
const py = languageOf(python, "#");
const sh = languageOf(shell, "#");
const data = languageOf(yaml, "#");
const languages: Readonly<Record<string, Language>> = {
  ...Object.fromEntries(["js", "mjs", "cjs", "jsx", "ts", "tsx", "javascript", "typescript"].map((name) => [name, c])),
  ...Object.fromEntries(["c", "h", "cpp", "java", "go", "rs", "rust", "css", "json", "jsonl"].map((name) => [name, c])),
  ...{ py, python: py, sh, bash: sh, shell: sh, zsh: sh, dockerfile: sh, yaml: data, yml: data, toml: data, ini: data },
  sql: languageOf(sql, "--", true),
};

export function isKnownLanguage(name: string): boolean {
  return Object.hasOwn(languages, name.toLowerCase());
}

/** Longer texts stay plain. */
const charsMax = 200_000;

export function tokenize(text: string, name: string): readonly Token[] {
  const language = isKnownLanguage(name) ? languages[name.toLowerCase()] : undefined;
  if (language === undefined || text.length > charsMax) return [{ kind: "plain", text }];
  const line = language.line.replaceAll("/", "\\/");
  const block = language.hasBlocks ? "|\\/\\*[\\s\\S]*?(?:\\*\\/|$)" : "";
  const pattern = new RegExp(
    `(?<comment>(?<![\\w:])${line}[^\\n]*${block})|(?<string>"""[\\s\\S]*?(?:"""|$)|"(?:[^"\\\\\\n]|\\\\.)*"|` +
      `'(?:[^'\\\\\\n]|\\\\.)*'|\`(?:[^\`\\\\]|\\\\.)*\`)|(?<number>\\b\\d[\\w.]*\\b)|(?<word>[A-Za-z_$][\\w$]*)`,
    "g",
  );
  return join(text, pattern, language);
}

function join(text: string, pattern: RegExp, { keywords }: Language): readonly Token[] {
  const tokens: Token[] = [];
  const add = (kind: Token["kind"], part: string): void => {
    const last = tokens.at(-1);
    if (last?.kind === kind) tokens[tokens.length - 1] = { kind, text: last.text + part };
    else if (part !== "") tokens.push({ kind, text: part });
  };
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    add("plain", text.slice(at, match.index));
    at = match.index + match[0].length;
    add(kindOf(match.groups ?? {}, keywords), match[0]);
  }
  add("plain", text.slice(at));
  return tokens;
}

function kindOf(found: Partial<Record<string, string>>, keywords: ReadonlySet<string>): Token["kind"] {
  if (found["comment"] !== undefined) return "comment";
  if (found["string"] !== undefined) return "string";
  if (found["number"] !== undefined) return "number";
  const word = found["word"] ?? "";
  return keywords.has(word) || keywords.has(word.toLowerCase()) ? "keyword" : "plain";
}
