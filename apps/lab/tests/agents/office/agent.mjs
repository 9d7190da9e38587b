// An agent of the filled console: answers without a model, the same way to the same prompt. Waits, asks or fails when
// the prompt says so.

import { mkdir, writeFile } from "node:fs/promises";

const approval = {
  type: "object",
  required: ["approve"],
  properties: {
    approve: { type: "boolean", title: "Refund the customer?" },
    note: { type: "string", title: "Note to the customer" },
  },
};
const account = {
  type: "object",
  required: ["region", "seats"],
  properties: {
    region: { type: "string", enum: ["Europe", "North America", "Asia"], title: "Region of the account" },
    seats: { type: "integer", title: "Number of seats" },
    comment: { type: "string", title: "Comment" },
  },
};

export async function* agent(prompt, context) {
  const n = [...prompt].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 100_003, 7);
  console.log(`request of ${prompt.length} characters`);
  const item = /item (\d+)/.exec(prompt);
  if (item && process.env.MEETING) await (await fetch(process.env.MEETING + item[1])).text();
  if (prompt.includes("refund")) {
    const { approve } = await context.requestInput("refund", approval, {
      prompt: "The customer paid 49.00 EUR twice.",
    });
    yield approve ? "The refund is booked." : "I told the customer why not.";
    return;
  }
  if (prompt.includes("set up the account")) {
    const { region } = await context.requestInput("account", account, { prompt: "Two things are missing." });
    yield `The account is in ${region}.`;
    return;
  }
  await context.emit("search_orders", { query: prompt.slice(0, 40), hits: n % 9 });
  if (n % 19 === 0 || prompt.includes("legacy")) {
    console.error(`ERROR: the CRM answered 503 Service Unavailable (request ${n})`);
    throw new Error(`the CRM answered 503 Service Unavailable to GET /v2/orders?customer=${n}`);
  }
  if (n % 5 === 0) console.error("WARNING: one record has no date");
  await context.reportUsage({ input_tokens: 400 + (n % 2_900), output_tokens: 80 + (n % 700) });
  if (prompt.includes("report")) yield* report();
  else yield* answer(n);
}

async function* answer(n) {
  yield "I looked into it. ";
  yield `There are **${n % 40} matching records**, the newest from this week.\n\n`;
  if (n % 3 === 0) yield "1. The amounts agree.\n2. One customer has two accounts.\n\nShall I merge them?";
  else yield "Nothing else is open.";
}

const table = `| state | count | sum |
| --- | ---: | ---: |
| paid | 18 | 7,912.00 |
| open | 6 | 1,204.50 |
`;

async function* report() {
  const rows = Array.from({ length: 24 }, (_, i) =>
    [2_026_001 + i, `Customer ${i + 1}`, ((i * 37) % 900) + 0.5, i % 4 ? "paid" : "open"].join(),
  );
  await mkdir("output/charts", { recursive: true });
  await writeFile("output/invoices.csv", ["number,customer,sum,state", ...rows, ""].join("\n"));
  await writeFile(
    "output/report.md",
    `# Invoices in May

All invoices were compared with the bank statement.

${table}
## Next steps

- [x] Remind the open ones
- [ ] Ask Smith & Sons for a date

> Due dates follow the contract.
`,
  );
  await writeFile(
    "output/compare.py",
    `from decimal import Decimal


def total(rows):
    """Adds the sums of paid rows."""
    return sum(Decimal(row["sum"]) for row in rows if row["state"] == "paid")  # not the open ones
`,
  );
  await writeFile(
    "output/charts/by-state.svg",
    `<svg xmlns="http://www.w3.org/2000/svg" width="320" height="160">
<rect x="20" y="20" width="90" height="120" fill="#2450c5"/><rect x="130" y="100" width="90" height="40" fill="#7a5200"/>
</svg>
`,
  );
  yield `## Invoices in May\n\nI compared **24 invoices** with the bank statement.\n\n${table}\n`;
  yield "- [x] Compared every number\n- [ ] Two customers need a reminder\n\n";
  yield '```python\ntotal = sum(row.sum for row in rows if row.state == "paid")  # 7912.00\n```\n\n';
  yield "The table is in `output/invoices.csv`, the report in `output/report.md`.";
}
