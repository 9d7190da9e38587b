// An agent's question and the answer: a form if its schema is simple, else JSON.

import type { MessageInput } from "@dari/contract";
import { useRef, useState } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { buildAnswer, answerFields, type AnswerField } from "../../data/answer.ts";
import { useLoaded } from "../../data/load.ts";
import { Form } from "../../parts/form.tsx";
import { ErrorNote } from "../../parts/notes.tsx";
import { Ago } from "../../parts/time.tsx";

interface AskedProps {
  readonly messageId: string;
  /** Called when the question was answered and the turn continues. */
  readonly onAnswered?: () => void;
}

/** The question of a message that waits for input. */
export function Asked({ messageId, onAnswered }: AskedProps) {
  const { client } = useAccount();
  const message = useLoaded(messageId, (signal) => client.getMessage(messageId, {}, { signal }));
  const asked = message.value?.inputs?.find(({ status }) => status === "waiting");
  if (asked === undefined) return <ErrorNote error={message.error} retry={message.reload} />;
  return <AnswerForm key={asked.key} messageId={messageId} asked={asked} onAnswered={onAnswered ?? message.reload} />;
}

interface AnswerFormProps {
  readonly messageId: string;
  readonly asked: MessageInput;
  readonly onAnswered: () => void;
}

function AnswerForm({ messageId, asked, onAnswered }: AnswerFormProps) {
  const { client } = useAccount();
  const fields = answerFields(asked.schema);
  const decision = decisionOf(fields);
  const [entered, setEntered] = useState<Readonly<Record<string, string>>>({});
  const [json, setJson] = useState("");
  const decided = useRef("");
  const answer = useAction(async () => {
    const all = decision === undefined ? entered : { ...entered, [decision.name]: decided.current };
    // A limit that is not raised has no new value.
    const isDeclined = asked.type === "budget" && decided.current === "no";
    const sent = isDeclined ? fields?.filter(({ kind }) => kind !== "number") : fields;
    const value: unknown = sent === undefined ? JSON.parse(json) : buildAnswer(sent, all);
    await client.answerInput(messageId, { key: asked.key, value });
    onAnswered();
  });
  return (
    <Form
      className="answer stacked"
      onSubmit={answer.run}
      aria-label={asked.type === "budget" ? "What the platform asks for" : "What the agent asks for"}
    >
      <p>
        <strong>{asked.prompt ?? "The agent waits for an answer."}</strong>
        <span className="faint">
          <code>{asked.key}</code> · expires <Ago time={asked.expires_at} />
        </span>
      </p>
      {decision !== undefined && decision.label !== decision.name && <p>{decision.label}</p>}
      {fields
        ?.filter((field) => field !== decision)
        .map((field) => (
          <Field
            key={field.name}
            field={field}
            value={entered[field.name] ?? field.initial}
            onChange={(value) => setEntered({ ...entered, [field.name]: value })}
          />
        ))}
      {fields === undefined && (
        <>
          <details>
            <summary>Schema</summary>
            <pre className="log" tabIndex={0} role="region" aria-label="Schema of the answer">
              {JSON.stringify(asked.schema, null, 2)}
            </pre>
          </details>
          <label>
            Answer as JSON
            <textarea required rows={4} value={json} onChange={(event) => setJson(event.target.value)} />
          </label>
        </>
      )}
      <ErrorNote error={answer.error} />
      <div className="actions">
        {decision === undefined ? (
          <button type="submit" className="primary" disabled={answer.isRunning}>
            Answer
          </button>
        ) : (
          <DecisionButtons isDisabled={answer.isRunning} onDecide={(choice) => void (decided.current = choice)} />
        )}
      </div>
    </Form>
  );
}

interface DecisionButtonsProps {
  readonly isDisabled: boolean;
  /** Called just before the form is submitted. */
  readonly onDecide: (choice: "yes" | "no") => void;
}

function DecisionButtons({ isDisabled, onDecide }: DecisionButtonsProps) {
  return (["yes", "no"] as const).map((choice) => (
    <button
      key={choice}
      type="submit"
      className={choice === "yes" ? "primary" : "danger"}
      disabled={isDisabled}
      onClick={() => onDecide(choice)}
    >
      {choice === "yes" ? "Approve" : "Reject"}
    </button>
  ));
}

/** The only required yes-or-no field of a question. Two buttons answer it. */
function decisionOf(fields: readonly AnswerField[] | undefined): AnswerField | undefined {
  const choices = (fields ?? []).filter(({ kind, isRequired }) => kind === "yes_no" && isRequired);
  return choices.length === 1 ? choices[0] : undefined;
}

interface FieldProps {
  readonly field: AnswerField;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function Field({ field: { label, kind, choices, isRequired }, value, onChange }: FieldProps) {
  if (choices.length > 0) {
    return (
      <label>
        {label}
        <select required={isRequired} value={value} onChange={(event) => onChange(event.target.value)}>
          <option value="">{isRequired ? "choose" : "leave open"}</option>
          {choices.map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      </label>
    );
  }
  return (
    <label>
      {label}
      <input
        type={kind === "number" ? "number" : "text"}
        step="any"
        required={isRequired}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}
