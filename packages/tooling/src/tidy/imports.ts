// What a source file imports, read from its syntax tree.

import ts from "typescript";

export interface Import {
  readonly specifier: string;
  /** True if nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

/** Returns every static and dynamic import and re-export with a literal specifier. */
export function importsOf(fileName: string, text: string): Import[] {
  const kind = fileName.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const source = ts.createSourceFile(fileName, text, ts.ScriptTarget.ESNext, false, kind);
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    const item = readImport(node);
    if (item) found.push(item);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function readImport(node: ts.Node): Import | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, typeOnly: isTypeOnly(node.importClause) };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return { specifier: node.argument.literal.text, typeOnly: true };
  }
  if (ts.isCallExpression(node) && loadsItsArgument(node.expression)) {
    const [argument] = node.arguments;
    if (argument && ts.isStringLiteral(argument)) return { specifier: argument.text, typeOnly: false };
  }
  return undefined;
}

/** `import(…)`, `require(…)`, `import.meta.resolve(…)` and `….resolve(…)` of a `require`. */
function loadsItsArgument(called: ts.Expression): boolean {
  if (called.kind === ts.SyntaxKind.ImportKeyword) return true;
  if (ts.isIdentifier(called)) return called.text === "require";
  return ts.isPropertyAccessExpression(called) && called.name.text === "resolve" && isLoader(called.expression);
}

function isLoader(expression: ts.Expression): boolean {
  if (ts.isMetaProperty(expression)) return true;
  if (ts.isCallExpression(expression)) return isLoader(expression.expression);
  return ts.isIdentifier(expression) && /^(require|createRequire)$/.test(expression.text);
}

/** `import { type A } from` counts as a value, because Node keeps `import {} from`, which loads the module. */
function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  return clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

/**
 * Returns the package of a bare specifier: "@aws-sdk/x" of "@aws-sdk/x/y". Undefined for files and Node's own modules.
 */
export function npmPackageOf(specifier: string): string | undefined {
  if (/^(\.|\/|node:|file:|data:)/.test(specifier)) return undefined;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

export interface FunctionLength {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/** Returns every function with its length in lines, including the first and the last. */
export function functionLengths(fileName: string, text: string): FunctionLength[] {
  const source = ts.createSourceFile(fileName, text, ts.ScriptTarget.ESNext, true);
  const found: FunctionLength[] = [];
  const lineOf = (position: number): number => source.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && "body" in node && node.body) {
      const start = lineOf(node.getStart(source));
      const name = node.name?.getText(source) ?? "(anonymous)";
      found.push({ name, line: start, lines: lineOf(node.end) - start + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
