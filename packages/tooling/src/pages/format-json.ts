// A large generated JSON file, laid out so that a change of it is a short diff.

/** The longest value that is written on one line, with its indentation. Most operations and schemas fit. */
const lineCharsMax = 1500;

/** Returns a value as JSON: what fits on one line is on one line, everything else has a line per member. */
export function formatJson(value: unknown, indentation = ""): string {
  const flat = JSON.stringify(value);
  if (typeof value !== "object" || value === null || indentation.length + flat.length <= lineCharsMax) return flat;
  const inner = `${indentation}  `;
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const members = Array.isArray(value)
    ? value.map((member) => formatJson(member, inner))
    : Object.entries(value).flatMap(([key, member]) =>
        member === undefined ? [] : [`${JSON.stringify(key)}: ${formatJson(member, inner)}`],
      );
  return `${open}\n${members.map((member) => inner + member).join(",\n")}\n${indentation}${close}`;
}
