// No secret passes in any encoding or any cut, and nothing else is changed.

import { expect, test } from "@jest/globals";
import { createScrubber } from "./scrubber.ts";

const secret = `s3cr+t/"v'älue 😀\n~end?`;
const scrubber = createScrubber(new Map([["API_KEY", secret]]));

const python = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/");
const base64 = (before: string) => Buffer.from(`${before}${secret}tail`).toString("base64");

/** A text and what is shown of it. In base64, at most one character on either side depends on the secret. */
const tag = "\\[redacted:API_KEY\\]";
const unicode = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
const said: [name: string, text: string, shown: string][] = [
  ["raw", secret, tag],
  ["base64 at the first byte", base64(""), `${tag}.{1,7}=*`],
  ["base64 at the second byte", base64("x"), `.{1,2}${tag}.{1,7}=*`],
  ["base64 at the third byte", base64("xy"), `.{1,3}${tag}.{1,7}=*`],
  ["base64url", Buffer.from(`xy${secret}`).toString("base64url"), `.{1,3}${tag}.?`],
  ["hex", Buffer.from(secret).toString("hex"), tag],
  ["HEX", Buffer.from(secret).toString("hex").toUpperCase(), tag],
  ["url", encodeURIComponent(secret), tag],
  ["url in lower case", encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()), tag],
  ["form", String(new URLSearchParams({ k: secret })), `k=${tag}`],
  ["url by Python", python(secret), tag],
  ["JSON", JSON.stringify([secret]), `\\["${tag}"\\]`],
  ["JSON in JSON", JSON.stringify(JSON.stringify(secret)), `"\\\\"${tag}\\\\""`],
  ["ASCII JSON", JSON.stringify(secret).replace(/[^\0-~]/g, unicode), `"${tag}"`],
];

test.each(said)("%s, whole and in every cut", (_name, text, expected) => {
  const shown = scrubber.text(`before ${text} after`);
  expect(shown).toMatch(new RegExp(`^before ${expected} after$`));
  for (let cut = 1; cut < text.length; cut += 1) {
    const stream = scrubber.stream();
    const pieces = ["before ", text.slice(0, cut), text.slice(cut), " after"].map((piece) => stream.write(piece));
    expect(pieces.join("") + stream.end()).toBe(shown);
  }
  const stream = scrubber.stream();
  const units = Array.from(`before ${text} after`, (unit) => stream.write(unit));
  expect(units.join("") + stream.end()).toBe(shown);
});

test("of a secret in which a text ends, at most seven characters are shown", () => {
  const [short, long] = [secret.slice(0, 7), secret.slice(0, 8)];
  const restOf = (text: string, isCut: boolean): string => {
    const stream = scrubber.stream();
    expect(stream.write(`I ${text}`)).toBe("I ");
    return stream.end({ isCut });
  };
  expect([restOf(short, false), restOf(short, true)]).toEqual([short, ""]);
  for (const isCut of [false, true]) expect(restOf(long, isCut)).toBe("[redacted:API_KEY]");
  expect(scrubber.text(long)).toBe(long);
  expect(scrubber.text(`I ${long}`, { isCut: true })).toBe("I [redacted:API_KEY]");
});

test("values of fewer than eight characters are not searched", () => {
  const short = createScrubber(new Map([["PIN", "1234567"]]));
  expect(short.text("1234567")).toBe("1234567");
});

test("a line end around a value makes no difference", () => {
  const fromFile = createScrubber(new Map([["KEY", "sk-123456789\n"]]));
  expect(fromFile.text("key=sk-123456789;")).toBe("key=[redacted:KEY];");
});

test("secrets that overlap or contain one another are covered completely", () => {
  const two = createScrubber(
    new Map([
      ["INNER", "abcdefgh"],
      ["OUTER", "12345678abcdefgh12345678"],
      ["NEXT", "5678----"],
    ]),
  );
  expect(two.text("<12345678abcdefgh12345678---->")).toBe("<[redacted:OUTER]>");
  expect(two.text("<abcdefghabcdefgh>")).toBe("<[redacted:INNER][redacted:INNER]>");
  expect(two.text("<12345678abcdefgh1234567>")).toBe("<12345678[redacted:INNER]1234567>");
});

const pem = `-----BEGIN PRIVATE KEY-----\n${"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC+/zB\n".repeat(60)}-----END`;

test("a long secret goes to its end, and what follows stays", () => {
  const long = createScrubber(new Map([["PEM", pem]]));
  for (const text of [
    pem,
    Buffer.from(pem).toString("hex"),
    JSON.stringify(pem).slice(1, -1),
    encodeURIComponent(pem),
  ]) {
    expect(long.text(`a${text}b`)).toBe("a[redacted:PEM]b");
    const stream = long.stream();
    let shown = "";
    for (let at = 0; at < text.length; at += 7) shown += stream.write(text.slice(at, at + 7));
    expect(shown + stream.write("b") + stream.end()).toBe("[redacted:PEM]b");
  }
  const other = `${pem.slice(0, 300)} and something else`;
  expect(long.text(other)).toBe("[redacted:PEM] and something else");
});

test("a secret that repeats itself stays covered, however it is drawn out", () => {
  const value = `${"a".repeat(500)}b`;
  const long = createScrubber(new Map([["DULL", value]]));
  expect(long.text(`${"a".repeat(2_000)}b.`)).toMatch(/^\[redacted:DULL\]\.?$/);
});

test("a secret across the parts of an answer goes from all of them", () => {
  const parts = ["one sk-1234", "56789", "0 two", ""];
  expect(createScrubber(new Map([["KEY", "sk-1234567890"]])).pieces(parts)).toEqual([
    "one [redacted:KEY]",
    "",
    " two",
    "",
  ]);
});

test("JSON is searched in texts, keys and numbers, however deep", () => {
  const json = createScrubber(new Map([["KEY", "12345678901"]]));
  const data = JSON.parse('{"a":[12345678901,{"x12345678901":"12345678901"}],"__proto__":{"b":null,"c":true}}');
  expect(JSON.stringify(json.json(data))).toBe(
    '{"a":["[redacted:KEY]",{"x[redacted:KEY]":"[redacted:KEY]"}],"__proto__":{"b":null,"c":true}}',
  );
  const deep = JSON.parse(`${"[".repeat(100_000)}"12345678901"${"]".repeat(100_000)}`) as unknown;
  let inner = json.json(deep);
  while (Array.isArray(inner)) inner = inner[0] as unknown;
  expect(inner).toBe("[redacted:KEY]");
});

test("without secrets every text is itself", () => {
  const none = createScrubber(new Map());
  expect([none.text("a"), none.pieces(["a", "b"]), none.json({ a: 1 })]).toEqual(["a", ["a", "b"], { a: 1 }]);
});

test("text of any kind is accepted: lone surrogates, controls, nothing", () => {
  for (const text of ["", "\ud800", "\udc00\ud800", "\0", "\uffff".repeat(100)]) expect(scrubber.text(text)).toBe(text);
});

test("every cut of random text over few letters gives what the whole gives", () => {
  const secrets = new Map([
    ["A", "abababab"],
    ["B", "babaabba"],
    ["C", "abbabaab".repeat(12)],
  ]);
  const one = createScrubber(secrets);
  let seed = 7;
  const random = (n: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % n;
  for (let round = 0; round < 300; round += 1) {
    let text = "";
    while (text.length < 300) text += random(3) === 0 ? ([...secrets.values()][random(3)] ?? "") : "ab"[random(2)];
    const stream = one.stream();
    let shown = "";
    for (let at = 0; at < text.length;) {
      const size = 1 + random(20);
      shown += stream.write(text.slice(at, at + size));
      at += size;
    }
    shown += stream.end();
    // A run's name may be written before its last match is known.
    const unnamed = (said: string): string => said.replace(/\[redacted:.\]/g, "#");
    expect(unnamed(shown)).toBe(unnamed(one.text(text, { isCut: true })));
    for (const value of secrets.values()) expect(shown).not.toContain(value);
  }
});
