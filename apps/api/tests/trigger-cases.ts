// What the routes of triggers accept and refuse, for tests of all routes.

const trigger = { scheme: "none", text: "{{issue.title}}" };
const condition = { path: "action", equals: ["opened"] };

/** Fields that both creating and changing a trigger refuse. */
const badFields = [
  [{ text: "" }, "text"],
  [{ text: "x".repeat(16_385) }, "text"],
  [{ text: "{{issue" }, "text"],
  [{ text: "{{}}" }, "text"],
  [{ text: "{{issue title}}" }, "text"],
  [{ text: "{{a..b}}" }, "text"],
  [{ text: "{{a|}}" }, "text"],
  [{ text: "{{header:Authorization}}" }, "text"],
  [{ text: "{{header:X-Hub-Signature-256}}" }, "text"],
  [{ text: "{{header:no header}}" }, "text"],
  [{ text: `{{${"a.".repeat(16)}a}}` }, "text"],
  [{ text: "{{a}}".repeat(65) }, "text"],
  [{ session_key: "" }, "session_key"],
  [{ session_key: "{{a" }, "session_key"],
  [{ session_key: "x".repeat(501) }, "session_key"],
  [{ event_id: "constant" }, "event_id"],
  [{ event_id: "{{a b}}" }, "event_id"],
  [{ when: {} }, "when"],
  [{ when: [{}] }, "when[0]"],
  [{ when: [condition, { ...condition, header: "X-Event" }] }, "when[1]"],
  [{ when: [{ ...condition, exists: true }] }, "when[0]"],
  [{ when: [{ path: "action" }] }, "when[0]"],
  [{ when: [{ path: "action", equals: [] }] }, "when[0].equals"],
  [{ when: [{ path: "a b", exists: true }] }, "when[0].path"],
  [{ when: [{ header: "Cookie", exists: true }] }, "when[0].header"],
  [{ when: Array.from({ length: 21 }, () => condition) }, "when"],
  [{ missing: "ignore" }, "missing"],
  [{ include_body: "yes" }, "include_body"],
  [{ lane: "fast" }, "lane"],
  [{ status: "stopped" }, "status"],
  [{ name: " " }, "name"],
  [{ surprise: 1 }, "surprise"],
] as const;

const created: (readonly [unknown, string])[] = badFields.map(([field, path]) => [{ ...trigger, ...field }, path]);

export const triggerCases = {
  listTriggers: {},
  createTrigger: {
    valid: trigger,
    invalid: [
      [{}, "scheme"],
      [{ scheme: "none" }, "text"],
      [{ ...trigger, scheme: "gitlab" }, "scheme"],
      [{ ...trigger, secret: "x".repeat(32) }, "secret"],
      [{ ...trigger, scheme: "github", secret: "short" }, "secret"],
      [{ ...trigger, scheme: "github", secret: "x".repeat(257) }, "secret"],
      [{ ...trigger, scheme: "github", secret: "with a space in the middle" }, "secret"],
      [{ ...trigger, scheme: "standard-webhooks", secret: "whsec_not-base64-at-all!" }, "secret"],
      [{ ...trigger, scheme: "standard-webhooks", secret: "whsec_c2hvcnQgb25l" }, "secret"],
      ...created,
    ],
  },
  getTrigger: {},
  updateTrigger: {
    valid: { name: "x" },
    invalid: [[{}, "body"], [{ scheme: "github" }, "scheme"], [{ secret: "x".repeat(32) }, "secret"], ...badFields],
  },
  deleteTrigger: {},
  rotateTriggerSecret: {
    valid: {},
    invalid: [
      [{ secret: "short" }, "secret"],
      [{ secret: 1 }, "secret"],
    ],
  },
  receiveTriggerEvent: {
    valid: { action: "opened" },
    invalid: [
      ['"text"', "body"],
      ["1", "body"],
      ["null", "body"],
    ],
  },
} as const;
