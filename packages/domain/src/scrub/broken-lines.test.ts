// Secrets of several lines, and encodings that programs break into lines: complete, cut anywhere, and single lines.

import { expect, test } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import { createScrubber } from "./scrubber.ts";

const makePem = (): string =>
  generateKeyPairSync("rsa", {
    modulusLength: 1024,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey;
const innerOf = (one: string): string[] => one.trim().split("\n").slice(1, -1);
let pem = makePem();
// A shorter line is not a secret by itself. The length of the numbers varies by a byte, and so does the last line's.
while (innerOf(pem).at(-1)!.length < 16) pem = makePem();
const lines = pem.trim().split("\n");
const inner = innerOf(pem);
const account = JSON.stringify(
  { type: "service", uri: "https://example.com/token/of/many", private_key: pem },
  null,
  2,
);
const key = "sk-proj-0123456789abcdefGHIJKL";
const scrubber = createScrubber(
  new Map([
    ["PEM", pem],
    ["FLAT", pem.replaceAll("\n", "\\n").replaceAll("M", "N")],
    ["ACCOUNT", account.replaceAll("M", "O")],
    ["KEY", key],
  ]),
);
const flat = pem.replaceAll("M", "N");
const accountKey = pem.replaceAll("M", "O");

const inLines = (text: string, width: number): string => text.replace(new RegExp(`.{${width}}`, "g"), "$&\n");
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const python = (text: string): string => `'${text.replaceAll("\n", "\\n")}'`;
/** How Python's pprint breaks a text. */
const printed = (text: string): string =>
  text
    .split(/(?<=\n)/)
    .map(python)
    .join("\n  ");

const said: [name: string, text: string][] = [
  ["as it is", pem],
  ["with the line ends of Windows", pem.replaceAll("\n", "\r\n")],
  ["in console.log of an object", inspect({ env: { A: "b", PEM: pem } })],
  ["deep in console.log", inspect({ a: { b: { c: { PEM: pem } } } }, { depth: 9 })],
  ["in JSON", JSON.stringify({ PEM: pem })],
  ["in JSON within JSON", JSON.stringify(JSON.stringify({ PEM: pem }))],
  ["in pretty JSON", JSON.stringify({ PEM: pem }, null, 2)],
  ["in Python's repr", python(pem)],
  ["in Python's pprint", printed(pem)],
  ["indented", pem.replaceAll("\n", "\n      ")],
  ["with a prefix on each line", lines.map((line) => `2026-01-01T00:00:00Z agent | ${line}`).join("\n")],
  ["as base64 in lines of 76", inLines(base64(`a=b\n${pem}c=d`), 76)],
  ["as base64 in lines of 64", inLines(base64(`ab\n${pem}c=d`), 64)],
  ["as base64 in lines, in JSON", JSON.stringify({ PEM: inLines(base64(`a\n${pem}c=d`), 76) })],
  ["as hex in lines", inLines(Buffer.from(pem).toString("hex"), 60)],
  ["with escaped line ends", pem.replaceAll("\n", "\\n")],
];

function shownOf(text: string, size: number): string {
  const stream = scrubber.stream();
  let shown = "";
  for (let at = 0; at < text.length; at += size) shown += stream.write(text.slice(at, at + size));
  return shown + stream.end();
}

/** What must not appear of a text: 12 consecutive characters of a line, or of its encodings. */
function leaks(shown: string, encode: (text: string) => string = (text) => text): string[] {
  const bare = shown.replace(/\[redacted:[A-Z]+\]/g, "#").replace(/[^0-9A-Za-z+/=#]/g, "");
  const whole = encode(inner.join("\n")).replace(/[^0-9A-Za-z+/=]/g, "");
  const found: string[] = [];
  for (let at = 0; at + 12 <= whole.length; at += 1) {
    if (bare.includes(whole.slice(at, at + 12))) found.push(whole.slice(at, at + 12));
  }
  return found;
}

test.each(said)("a key of several lines %s, whole and in pieces", (name, text) => {
  const encodings = name.includes("base64")
    ? ["", "x", "xy"].map((before) => (one: string) => base64(before + one).slice(4, -4))
    : [(one: string) => (name.includes("hex") ? Buffer.from(one).toString("hex") : one)];
  const whole = scrubber.text(`before ${text} after`);
  for (const encode of encodings) expect(leaks(whole, encode)).toEqual([]);
  expect(whole).toMatch(/^before [^]* after$/);
  for (const size of [1, 2, 7, 63, 64, 65, 200]) expect(shownOf(`before ${text} after`, size)).toBe(whole);
});

test("every single line of a key", () => {
  for (const line of inner.filter((one) => one.length >= 16)) {
    expect(scrubber.text(`at ${line}.`)).toBe("at [redacted:PEM].");
  }
  expect(scrubber.text(`${lines[0]} ...`)).toBe("-----BEGIN PRIVATE KEY----- ...");
});

test("a key whose line ends were escapes, printed with line ends, and the other way round", () => {
  for (const text of [flat, inspect({ a: flat }), JSON.stringify(flat), flat.replaceAll("\n", "\\n")]) {
    expect(scrubber.text(text)).not.toMatch(/[0-9A-Za-z+/]{20}/);
  }
});

test("a key within a JSON document that was parsed and printed; its addresses stay", () => {
  const parsed: unknown = JSON.parse(account.replaceAll("M", "O"));
  expect(scrubber.text(inspect(parsed))).not.toMatch(/[0-9A-Za-z+/]{24}/);
  expect(scrubber.text(accountKey)).not.toMatch(/[0-9A-Za-z+/]{24}/);
  expect(scrubber.text("https://example.com/token/of/many")).toBe("https://example.com/token/of/many");
});

test.each([0, 1, 2, 30, 40, 50, 60, 70])("a short secret in base64 in lines, %d bytes from the start", (before) => {
  const text = inLines(base64(`${"x".repeat(before)}${key}${"y".repeat(90)}`), 76);
  const whole = scrubber.text(text);
  expect(whole).toMatch(/\[redacted:KEY\]/);
  const rest = whole.replace(/\[redacted:KEY\]/g, "").replaceAll("\n", "");
  expect(rest.length).toBeLessThanOrEqual(text.replaceAll("\n", "").length - Math.floor((key.length * 8) / 6) + 3);
  for (let cut = 1; cut < text.length; cut += 1) {
    const stream = scrubber.stream();
    expect(stream.write(text.slice(0, cut)) + stream.write(text.slice(cut)) + stream.end()).toBe(whole);
  }
});

test("lines that are far apart are not a secret, and the buffered text is limited", () => {
  const stream = scrubber.stream();
  const [first, rest] = [base64(key).slice(0, 20), base64(key).slice(20)];
  expect(stream.write(first)).toBe("");
  const gap = " ".repeat(100);
  expect(stream.write(gap)).toBe(first + gap);
  expect(stream.write(rest) + stream.end()).toBe(rest);
});

test("a secret of very many lines costs no more than many secrets", () => {
  const long = Array.from({ length: 60_000 }, (_, n) => `line ${n} of a secret`).join("\n");
  const start = process.cpuUsage();
  const shown = createScrubber(new Map([["LONG", long]])).text(long.slice(0, 10_000));
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1000).toBeLessThan(2_000);
  expect(shown).toBe("[redacted:LONG]");
});
