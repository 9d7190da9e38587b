// Templates and conditions against hostile events.

import { describe, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { checkConditions, findUnmet } from "./check-conditions.ts";
import type { TriggerEventValues } from "./read-event-value.ts";
import { keyValueCharsMax, parseTemplate, renderKey, renderText } from "./render-template.ts";

function eventOf(json: string, headers: Readonly<Record<string, string>> = {}): TriggerEventValues {
  return { body: JSON.parse(json) as unknown, header: (name) => headers[name.toLowerCase()] };
}

function render(template: string, json: string, missing: "empty" | "refuse" = "empty"): string {
  return renderText(parseTemplate("text", template), eventOf(json, { "x-event": "issues" }), missing);
}

describe("a text", () => {
  test.each([
    ["no places", "{}", "no places"],
    ["a {{b}} c", '{"b": "x"}', "a x c"],
    ["{{ b.c.1.d }}", '{"b": {"c": [0, {"d": "x"}]}}', "x"],
    ["{{a}}{{b}}{{c}}", '{"a": 1.5, "b": true, "c": "" }', "1.5true"],
    ["{{a}}", '{"a": {"b": [1, null]}}', '{"b":[1,null]}'],
    ["{{header:X-Event}}", "{}", "issues"],
    ["{{a|b}}", '{"b": 2}', "2"],
    ["{{a|b}}", '{"a": null, "b": 2}', "2"],
    ["[{{a}}]", '{"a": null}', "[]"],
    ["{{0.id}}", '[{"id": "x"}]', "x"],
    // What an event contains is not a template.
    ["{{a}}", '{"a": "{{secret}}", "secret": "x"}', "{{secret}}"],
    ["}} {{a}}", '{"a": 1}', "}} 1"],
  ])("%j of %s is %j", (template, json, text) => {
    expect(render(template, json)).toBe(text);
  });

  test.each([
    "__proto__",
    "constructor",
    "constructor.name",
    "toString",
    "a.length",
    "a.__proto__.b",
    "b.length",
    "b.0",
  ])("%s is no member of an event that does not have it", (path) => {
    expect(render(`{{${path}}}`, '{"a": [], "b": "text"}')).toBe("");
    expect(() => render(`{{${path}}}`, '{"a": [], "b": "text"}', "refuse")).toThrow(/the event has no/);
  });

  test("names of prototypes are ordinary names if the JSON has them", () => {
    expect(render("{{__proto__.admin}} {{constructor}}", '{"__proto__": {"admin": 1}, "constructor": 2}')).toBe("1 2");
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  test("what PostgreSQL cannot store is replaced", () => {
    expect(render("{{a}}", '{"a": "x\\u0000y\\ud800z"}')).toBe("x\uFFFDy\uFFFDz");
  });

  test("a large value that is named often is cut, with a note", () => {
    const text = render("{{a}}".repeat(64), JSON.stringify({ a: "ü".repeat(400_000) }));
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limits.triggerOutputBytes);
    expect(text).toMatch(/^ü+\n\[cut: the text exceeds 262144 bytes\]$/);
  });

  test("JSON that is nested too deeply to be written again is refused", () => {
    const deep = `{"a": ${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    expect(render("x", deep)).toBe("x");
    expect(() => render("{{a}}", deep)).toThrow(expect.objectContaining({ code: "invalid" }));
  });
});

describe("a key", () => {
  const keyOf = (template: string, json: string) => renderKey("k", parseTemplate("k", template), eventOf(json));

  test("is the values, so that no value can pretend to be two", () => {
    const [left, right] = [
      keyOf("{{a}}-{{b}}", '{"a": "x-y", "b": "z"}'),
      keyOf("{{a}}-{{b}}", '{"a": "x", "b": "y-z"}'),
    ];
    expect(left.text).toBe(right.text);
    expect(left.values).not.toEqual(right.values);
  });

  test.each(['{"a": 1}', '{"a": 1, "b": null}', '{"a": 1, "b": {}}', '{"a": 1, "b": []}', '{"a": 1, "b": ""}'])(
    "is refused for %s",
    (json) => {
      expect(() => keyOf("{{a}}/{{b}}", json)).toThrow(expect.objectContaining({ code: "invalid" }));
    },
  );
});

test("a key takes the next value for an empty one, and refuses many characters before it joins them", () => {
  const keyOf = (template: string, json: string) => renderKey("k", parseTemplate("k", template), eventOf(json));
  expect(keyOf("{{b|a}}", '{"a": "x", "b": ""}').text).toBe("x");
  const half = JSON.stringify({ a: "x".repeat(keyValueCharsMax / 2) });
  expect(keyOf("{{a}}{{a}}", half).text).toHaveLength(keyValueCharsMax);
  expect(() => keyOf("{{a}}{{a}}{{a}}", half)).toThrow(
    expect.objectContaining({ code: "invalid", issues: [expect.objectContaining({ path: "k" })] }),
  );
});

describe("conditions", () => {
  const event = eventOf('{"action": "opened", "bot": null, "n": 7, "list": ["opened"], "o": {}}', {
    "x-event": "issues",
  });

  test.each([
    [[{ path: "action", equals: ["closed", "opened"] }], true],
    [[{ path: "action", equals: ["closed"] }], false],
    [[{ header: "X-Event", equals: ["issues"] }], true],
    [[{ header: "X-Other", equals: ["issues"] }], false],
    [[{ path: "n", equals: ["7"] }], true],
    [[{ path: "bot", exists: false }], true],
    [[{ path: "bot", exists: true }], false],
    [[{ path: "o", exists: true }], true],
    // Neither a list nor an object equals a text.
    [[{ path: "list", equals: ["opened"] }], false],
    [[{ path: "o", equals: ["[object Object]"] }], false],
    [[{ path: "constructor", exists: false }], true],
    [
      [
        { path: "action", equals: ["opened"] },
        { path: "n", equals: ["8"] },
      ],
      false,
    ],
    [[], true],
  ])("%j: %s", (conditions, met) => {
    checkConditions(conditions);
    expect(findUnmet(conditions, event) === undefined).toBe(met);
  });
});
