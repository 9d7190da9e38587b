// The context of the turns that the tests of this package run.

export const turnContext = {
  sessionId: "s",
  messageId: "m",
  attempt: 1,
  parts: [],
  metadata: {},
  history: [],
  operationKey: "m",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  answers: {},
};
