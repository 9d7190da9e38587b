// A status as a word with a coloured mark. The word alone is enough.

const tones: Readonly<Record<string, string>> = {
  completed: "good",
  ready: "good",
  active: "busy",
  running: "busy",
  building: "busy",
  queued: "wait",
  reconnecting: "wait",
  waiting_for_input: "wait",
  delivered: "good",
  enabled: "good",
  pending: "wait",
  draining: "wait",
  failing: "bad",
  disabled: "bad",
  exhausted: "bad",
  failed: "bad",
  paused: "wait",
  budget: "wait",
  fired: "good",
  skipped: "off",
  missed: "bad",
  in_progress: "busy",
  cancelling: "wait",
  ended: "good",
  cancelled: "off",
  expired: "off",
};

export function Status({ of }: { readonly of: string }) {
  return <span className={`status ${tones[of] ?? "plain"}`}>{of.replaceAll("_", " ")}</span>;
}
