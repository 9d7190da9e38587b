// Signatures as the senders document them, and everything that must not pass for one.

import { createHmac } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { isSigned, type TriggerRequest } from "./verify-signature.ts";

type Headers = Readonly<Record<string, string>>;

function request(body: string | Buffer, headers: Headers): TriggerRequest {
  return { body: Buffer.from(body), header: (name) => headers[name] };
}

const hmac = (key: string | Buffer, ...texts: string[]) => createHmac("sha256", key).update(texts.join(""));

describe("what the senders publish as examples", () => {
  test("GitHub", () => {
    const digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const signed = request("Hello, World!", { "x-hub-signature-256": `sha256=${digest}` });
    expect(isSigned("github", ["It's a Secret to Everybody"], signed, 0)).toBe(true);
  });

  test("Slack", () => {
    const body =
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&" +
      "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&" +
      "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F" +
      "96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const signed = request(body, { "x-slack-request-timestamp": "1531420618", "x-slack-signature": signature });
    expect(isSigned("slack", ["8f742231b10e8888abcd99yyyzzz85a5"], signed, 1_531_420_618_000)).toBe(true);
  });

  // Made by `generateTestHeaderString` of Stripe's library, release 23.1.0.
  test("Stripe", () => {
    const digest = "13941114bb88ac44a76abcfddea5b92aa6182a4b63d8be3aae908a616083bd7e";
    const signed = request('{"id":"evt_test"}', { "stripe-signature": `t=1700000000,v1=${digest}` });
    expect(isSigned("stripe", ["whsec_test_secret"], signed, 1_700_000_000_000)).toBe(true);
  });

  test("Standard Webhooks", () => {
    const signed = request('{"test": 2432232314}', {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
    const secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const now = 1_614_265_330_000;
    expect(isSigned("standard-webhooks", [secret], signed, now)).toBe(true);
    expect(isSigned("standard-webhooks", [`whsec_${secret}`], signed, now)).toBe(true);
  });
});

const body = '{"a":1, "b":"ü"}';
const now = 1_764_000_000_000;
const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQh";

/** Returns the headers of a signed body. */
const sign = {
  github: (text: string, _seconds: number, key = secret): Headers => ({
    "x-hub-signature-256": `sha256=${hmac(key, text).digest("hex")}`,
  }),
  slack: (text: string, seconds: number, key = secret): Headers => ({
    "x-slack-request-timestamp": String(seconds),
    "x-slack-signature": `v0=${hmac(key, `v0:${seconds}:`, text).digest("hex")}`,
  }),
  stripe: (text: string, seconds: number, key = secret): Headers => ({
    "stripe-signature": `t=${seconds},v1=${hmac(key, `${seconds}.`, text).digest("hex")}`,
  }),
  "standard-webhooks": (text: string, seconds: number, key = secret): Headers => ({
    "webhook-id": "msg_1",
    "webhook-timestamp": String(seconds),
    "webhook-signature": `v1,${hmac(Buffer.from(key, "base64"), `msg_1.${seconds}.`, text).digest("base64")}`,
  }),
} as const;
const schemes = Object.keys(sign) as (keyof typeof sign)[];
const timed = schemes.filter((scheme) => scheme !== "github");
const seconds = now / 1_000;

describe.each(schemes)("%s", (scheme) => {
  const good = sign[scheme](body, seconds);
  const check = (headers: Headers, text: string | Buffer = body, secrets: readonly string[] = [secret], at = now) =>
    isSigned(scheme, secrets, request(text, headers), at);

  test("accepts the sender's signature, with any of the trigger's secrets", () => {
    expect(check(good)).toBe(true);
    expect(check(good, body, ["b3RoZXItb3RoZXItb3RoZXItb3RoZXI=", secret])).toBe(true);
  });

  test("refuses another secret, no secret, and another body", () => {
    expect(check(good, body, ["b3RoZXItb3RoZXItb3RoZXItb3RoZXI="])).toBe(false);
    expect(check(good, body, [])).toBe(false);
    // The same JSON, written again.
    expect(check(good, JSON.stringify(JSON.parse(body)))).toBe(false);
    expect(check(good, `${body} `)).toBe(false);
    expect(check(good, "")).toBe(false);
  });

  test("refuses a missing header, and every header in another form", () => {
    for (const name of Object.keys(good)) {
      const { [name]: value = "", ...rest } = good;
      expect([name, check(rest)]).toEqual([name, false]);
      for (const wrong of [
        "",
        " ",
        value.slice(0, -4),
        `${value}0000`,
        `x${value}`,
        "sha256=",
        "v0=",
        "v1,",
        "t=,v1=",
      ]) {
        expect([name, wrong, check({ ...good, [name]: wrong })]).toEqual([name, wrong, false]);
      }
    }
  });

  test("refuses the empty signature of an empty secret", () => {
    expect(check(sign[scheme](body, seconds, ""), body, [secret])).toBe(false);
  });
});

describe.each(timed)("%s", (scheme) => {
  const check = (time: number) => isSigned(scheme, [secret], request(body, sign[scheme](body, time)), now);

  test("accepts five minutes before and after, and nothing else", () => {
    expect([seconds - 300, seconds + 300].map(check)).toEqual([true, true]);
    expect([seconds - 301, seconds + 301, 0, 999_999_999_999].map(check)).toEqual([false, false, false, false]);
  });

  test("refuses times in other forms, although they are signed", () => {
    for (const time of ["NaN", "-1", "1e9", `${seconds}.5`, ` ${seconds}`, "0x1", "Infinity"]) {
      expect([time, check(time as unknown as number)]).toEqual([time, false]);
    }
  });

  test("refuses another time than the signed one", () => {
    const headers = Object.entries(sign[scheme](body, seconds - 600));
    const moved = headers.map(([name, value]) => [name, value.replace(String(seconds - 600), String(seconds))]);
    expect(isSigned(scheme, [secret], request(body, Object.fromEntries(moved) as Headers), now)).toBe(false);
  });
});

test("several signatures: one that is right is enough, up to a limit", () => {
  const { "stripe-signature": one = "" } = sign.stripe(body, seconds);
  const wrong = `v1=${"0".repeat(64)}`;
  const stripe = (header: string) => isSigned("stripe", [secret], request(body, { "stripe-signature": header }), now);
  expect(stripe(`${wrong},${one}`)).toBe(true);
  expect(stripe(`t=${seconds - 9_000},${one}`)).toBe(false);
  expect(stripe(`${`${wrong},`.repeat(16)}${one}`)).toBe(false);
  const { "webhook-signature": right = "", ...rest } = sign["standard-webhooks"](body, seconds);
  const standard = (header: string) =>
    isSigned("standard-webhooks", [secret], request(body, { ...rest, "webhook-signature": header }), now);
  expect(standard(`v1a,AAAA v1,${Buffer.alloc(32).toString("base64")} ${right}`)).toBe(true);
  expect(standard(right.replace("v1,", "v2,"))).toBe(false);
});

test("the id of Standard Webhooks is signed", () => {
  const headers = { ...sign["standard-webhooks"](body, seconds), "webhook-id": "msg_2" };
  expect(isSigned("standard-webhooks", [secret], request(body, headers), now)).toBe(false);
});

test("a trigger without a scheme checks nothing", () => {
  expect(isSigned("none", [], request(body, {}), now)).toBe(true);
});
