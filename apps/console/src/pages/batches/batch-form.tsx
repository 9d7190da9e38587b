// A new batch: a session for each line of a text.

import { limits, type Lane } from "@dari/domain";
import { useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { countText, sessionsText } from "../../data/format.ts";
import { goTo } from "../../data/route.ts";
import { AgentField, LaneField } from "../../parts/choice.tsx";
import { Form, FormEnd } from "../../parts/form.tsx";

export function BatchForm({ onClose }: { readonly onClose: () => void }) {
  const { client } = useAccount();
  const [agentId, setAgentId] = useState("");
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  const [lane, setLane] = useState<Lane>("background");
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const isTooMuch = lines.length > limits.batchSessionsMax;
  const create = useAction(async () => {
    const sessions = lines.map((line) => ({ parts: [{ type: "text" as const, text: line }] }));
    const named = name.trim() === "" ? {} : { name };
    goTo(`/batches/${(await client.createSessionBatch({ agent_id: agentId, ...named, lane, sessions })).id}`);
  });
  return (
    <Form className="stacked" onSubmit={create.run}>
      <AgentField value={agentId} onChange={setAgentId} />
      <label>
        <span>
          First messages{" "}
          <span className="faint">a line each; files and metadata go by the API or a file of JSON lines</span>
        </span>
        <textarea required rows={8} value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      <label>
        Name
        <input maxLength={200} placeholder="optional" value={name} onChange={(event) => setName(event.target.value)} />
      </label>
      <LaneField value={lane} onChange={setLane} />
      {isTooMuch && (
        <p className="note bad">
          {countText(lines.length)} lines: one call starts at most {sessionsText(limits.batchSessionsMax)}.
        </p>
      )}
      <FormEnd
        action={create}
        verb={lines.length === 0 ? "Start them" : `Start ${sessionsText(lines.length)}`}
        isReady={lines.length > 0 && !isTooMuch}
        onClose={onClose}
      />
    </Form>
  );
}
