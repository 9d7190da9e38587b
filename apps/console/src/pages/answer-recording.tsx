// Whether the organization allows that answers of models are recorded.

import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { useLoaded } from "../data/load.ts";
import { ConfirmButton } from "../parts/dialog.tsx";
import { ErrorNote } from "../parts/notes.tsx";

const fromWhen = "It applies from the next attempt of each message on";
const neverText =
  `${fromWhen}. Answers that are recorded already stay until their message ends or their recording expires. ` +
  "They are not used.";
const allowedText = `${fromWhen}, to agents whose dari.yml has retries.record_answers.`;

/** A part of the settings page, for admins. */
export function AnswerRecording() {
  const { client } = useAccount();
  const loaded = useLoaded("answer-recording", (signal) => client.getAnswerRecording("current", { signal }));
  const isAllowed = loaded.value?.mode === "allowed";
  const change = useAction(async () => {
    await client.putAnswerRecording({ mode: isAllowed ? "never" : "allowed" });
    loaded.reload();
  });
  return (
    <>
      <h2>Recorded answers of models</h2>
      <p>
        An agent’s dari.yml can ask that answers are recorded while their message is open, so that a lost worker costs
        nothing twice.
      </p>
      <ErrorNote error={loaded.error ?? change.error} />
      {loaded.value !== undefined && (
        <>
          <p>{isAllowed ? "Allowed, if dari.yml asks for it." : "Not recorded, even if dari.yml asks for it."}</p>
          <ConfirmButton
            label={isAllowed ? "Never record" : "Allow recording"}
            title={isAllowed ? "Never record answers?" : "Allow recording?"}
            says={isAllowed ? neverText : allowedText}
            verb={isAllowed ? "Never record" : "Allow it"}
            onConfirm={change.run}
          />
        </>
      )}
    </>
  );
}
