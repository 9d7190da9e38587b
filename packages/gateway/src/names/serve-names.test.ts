// What the name server of a sandbox answers, byte by byte.

import { describe, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { answerQuery } from "./serve-names.ts";
import { createNameTable } from "./name-table.ts";

const [typeA, typeAaaa, typeHttps] = [1, 28, 65];

function queryFor(name: string, type = typeA, flags = 0x0100): Buffer {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  return Buffer.from([0xab, 0xcd, flags >> 8, flags & 0xff, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1]);
}

/** Returns the code of an answer, and its address if it has one. */
function answerOf(query: Buffer, names = createNameTable()): unknown[] | undefined {
  const answer = answerQuery(query, names);
  if (answer === undefined) return undefined;
  expect(answer.subarray(0, 2)).toEqual(query.subarray(0, 2));
  expect(answer.readUInt16BE(2) & 0x8000).toBe(0x8000);
  const hasAddress = answer.readUInt16BE(6) === 1;
  return [answer[3]! & 0xf, ...(hasAddress ? [answer.subarray(-4).join(".")] : [])];
}

describe("a query", () => {
  test("for a name has the same address each time, and another name has another", () => {
    const names = createNameTable();
    const asked = ["one.example", "two.example", "ONE.example"].map((name) => answerOf(queryFor(name), names));
    expect(asked).toEqual([
      [0, "198.18.0.2"],
      [0, "198.18.0.3"],
      [0, "198.18.0.2"],
    ]);
    expect(names.nameOf("198.18.0.3")).toBe("two.example");
  });

  test("is repeated in its answer as it was written", () => {
    const query = queryFor("MiXed.example");
    expect(answerQuery(query, createNameTable())!.subarray(12, query.length)).toEqual(query.subarray(12));
  });

  test("for another kind of record has an empty answer, so that programs use IPv4", () => {
    const names = createNameTable();
    expect([typeAaaa, typeHttps].map((type) => answerOf(queryFor("one.example", type), names))).toEqual([[0], [0]]);
    expect(names.nameOf("198.18.0.2")).toBeUndefined();
  });

  test("with extensions is answered without them", () => {
    const query = Buffer.concat([queryFor("one.example"), Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0])]);
    query[11] = 1;
    const answer = answerQuery(query, createNameTable())!;
    expect([answer[11], answer.length]).toEqual([0, query.length - 11 + 16]);
    expect(answerOf(query)).toEqual([0, "198.18.0.2"]);
  });

  test.each(["10.0.0.1", "a b.example", "-a.example", "é.example", "a\0.example"])("for %j finds no name", (name) =>
    expect(answerOf(queryFor(name))).toEqual([3]),
  );

  test("for localhost leads to the sandbox itself", () => {
    expect(answerOf(queryFor("localhost"))).toEqual([0, "127.0.0.1"]);
    expect(answerOf(queryFor("a.localhost"))).toEqual([0, "127.0.0.1"]);
  });

  test("that is an answer, or none at all, is not answered", () => {
    expect(answerOf(queryFor("one.example", typeA, 0x8180))).toBeUndefined();
    expect(answerOf(Buffer.alloc(11))).toBeUndefined();
    expect(answerOf(Buffer.alloc(5_000))).toBeUndefined();
  });

  test("that is malformed or unsupported is answered so", () => {
    const query = queryFor("one.example");
    const [twice, pointer, cut] = [Buffer.from(query), Buffer.from(query), query.subarray(0, -1)];
    twice[5] = 2;
    pointer[12] = 0xc0;
    expect([twice, pointer, cut].map((one) => answerOf(one))).toEqual([[1], [1], [1]]);
    expect(answerOf(queryFor("one.example", typeA, 0x2800))).toEqual([4]);
    expect(answerOf(queryFor(Array<string>(130).fill("a").join(".")))).toEqual([1]);
  });

  test("of random bytes harms nothing", () => {
    const names = createNameTable();
    for (let i = 0; i < 20_000; i++) {
      const query = randomBytes(i % 64);
      if (query.length > 12) query.set([0, 0, 0, 1], 2);
      answerQuery(query, names);
    }
    expect(answerOf(queryFor("one.example"), names)![0]).toBe(0);
  });
});

describe("a table", () => {
  test("forgets the name that was not used for longest, and never gives its address to another", () => {
    const names = createNameTable();
    const first = names.addressOf("first.example")!;
    const second = names.addressOf("second.example")!;
    for (let i = 0; i < 3_998; i++) names.addressOf(`n${i}.example`);
    expect(names.nameOf(first)).toBe("first.example");
    names.addressOf("last.example");
    expect([names.nameOf(first), names.nameOf(second)]).toEqual(["first.example", undefined]);
    expect(names.addressOf("second.example")).toBe("198.18.15.163");
  });

  test("gives no address once all have been used", () => {
    const names = createNameTable();
    for (let i = 2; i <= 0xff_fe; i++) names.addressOf(`n${i}.example`);
    const exhausted: string[] = [];
    answerQuery(queryFor("one.example"), names, (name) => void exhausted.push(name));
    expect(exhausted).toEqual(["one.example"]);
    expect(answerOf(queryFor("one.example"), names)).toEqual([2]);
    expect(answerOf(queryFor(`n${0xff_fe}.example`), names)).toEqual([0, "198.18.255.254"]);
  });

  test("of a child starts with the addresses of its template, and then has its own", () => {
    const template = createNameTable();
    const shared = template.addressOf("shared.example")!;
    const [one, other] = [createNameTable(template), createNameTable(template)];
    const own = one.addressOf("own.example")!;
    expect([one.nameOf(shared), other.nameOf(shared)]).toEqual(["shared.example", "shared.example"]);
    expect([other.nameOf(own), template.nameOf(own)]).toEqual([undefined, undefined]);
  });

  test.each(["198.18.0.1", "198.18.", "198.18.0", "198.18.x.y", "127.0.0.1", ""])("has no name for %j", (address) => {
    const names = createNameTable();
    names.addressOf("one.example");
    expect(names.nameOf(address)).toBeUndefined();
  });
});
