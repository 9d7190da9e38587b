// esbuild keeps the names of functions by a call for each, every time that one is made, because it renames what meets
// in one scope. Most names are not changed: there the call does what JavaScript does by itself, for some of the start
// and some memory. Reads esbuild's own layout; what does not look like that keeps its call.

const declared = /^ *__name\(([\w$]+), "\1"\);$/;
/** A function without a name of its own that is given to a variable, a parameter or a key, which is then its name. */
const assigned = /^( *)((?:.*[^.#\w$])?)([\w$]+)( = |: )\/\* @__PURE__ \*\/ __name\(((?:async )?(?:function\*?)?\(.*)$/;
const bodyStarts = /(?:=>|\)) \{$/;

/** Leaves the number of lines as it is, but not their columns. */
export function withPlainNames(text) {
  const lines = text.split("\n");
  lines.forEach((line, at) => {
    if (!line.includes("__name(")) return;
    if (declared.test(line)) lines[at] = "";
    else unwrap(lines, at);
  });
  return lines.join("\n");
}

function unwrap(lines, at) {
  const [, indent, before, name, sign, made] = assigned.exec(lines[at]) ?? [];
  if (made === undefined) return;
  const start = indent + before + name + sign;
  const ending = `, "${name}")`;
  if (!bodyStarts.test(made)) {
    const plain = without(ending, made);
    // What ends so before the line does is the call, and the line's end another's.
    if (plain !== undefined && !made.includes("__name(") && !plain.includes(ending)) lines[at] = start + plain;
    return;
  }
  const isInside = (line) => line === "" || line.startsWith(`${indent} `);
  let last = at + 1;
  while (last < lines.length && isInside(lines[last])) last += 1;
  const plain = without(ending, lines[last] ?? "");
  if (plain !== `${indent}}` && plain !== `${indent}};` && plain !== `${indent}},`) return;
  lines[at] = start + made;
  lines[last] = plain;
}

/** Undefined where a line does not end so, but for what separates it from the next. */
function without(ending, line) {
  const separator = /[;,]?$/.exec(line)[0];
  const rest = line.slice(0, line.length - separator.length);
  return rest.endsWith(ending) ? rest.slice(0, -ending.length) + separator : undefined;
}
