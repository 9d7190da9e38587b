// The table of docs/security-isolation.md, between its two markers.

import { renderCell, evidence, securityTable, tableDrivers, type Guarantee } from "@dari/sandbox";

const begin = "<!-- Generated from packages/sandbox/src/security-table.ts. -->";
const end = "<!-- End of the generated table. -->";

/** Returns the page's text with the current table. */
export function withSecurityTable(page: string): string {
  const [before, after] = [page.split(begin)[0], page.split(end)[1]];
  if (before === undefined || after === undefined) throw new Error(`the page has no "${begin}" and "${end}"`);
  return `${before}${begin}\n${renderTable()}\n${end}${after}`;
}

function renderTable(): string {
  const rows = (Object.keys(securityTable) as Guarantee[]).map((guarantee) => {
    const [bwrap, oci, landlock, process] = tableDrivers.map((driver) => renderCell(guarantee, driver));
    const shared = bwrap === oci ? bwrap!.says : `\`bwrap\`: ${bwrap!.says}. \`oci\`: ${oci!.says}`;
    const files = [bwrap, oci, landlock, process].flatMap((cell) => (cell?.by === undefined ? [] : [cell.by]));
    const links = [...new Set(files)].map((file) => `[${file}](../${evidence[file]})`);
    const cells = [securityTable[guarantee].tries, shared, landlock!.says, process!.says, links.join(", ")];
    return `| ${cells.join(" | ")} |`;
  });
  const head = ["An agent tries to", "`bwrap`, `oci`", "`landlock`", "`process` (development)", "Shown by"];
  return [`| ${head.join(" | ")} |`, "|---|---|---|---|---|", ...rows].join("\n");
}
