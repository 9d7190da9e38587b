// What is typed and attached next. It is kept until the files are uploaded.

import { useState, type FormEvent, type KeyboardEvent } from "react";

interface ComposerProps {
  isRunning: boolean;
  onSend: (text: string, files: File[]) => Promise<void>;
  onStop: () => void;
}

export function Composer({ isRunning, onSend, onStop }: ComposerProps) {
  const [files, setFiles] = useState<File[]>([]);
  const [failure, setFailure] = useState<string>();
  const [isSending, setIsSending] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    const text = String(new FormData(form).get("text")).trim();
    if (isRunning || isSending || (text === "" && files.length === 0)) return;
    setIsSending(true);
    try {
      setFailure(undefined);
      await onSend(text, files);
      form.reset();
      setFiles([]);
    } catch (error) {
      setFailure(String(error));
    } finally {
      setIsSending(false);
    }
  }
  function submitOnEnter(event: KeyboardEvent<HTMLTextAreaElement>): void {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  }

  return (
    <form className="composer" onSubmit={(event) => void submit(event)}>
      {files.length > 0 && <p className="note">{files.map(({ name }) => name).join(", ")}</p>}
      {failure && (
        <p className="failure" role="alert">
          {failure}
        </p>
      )}
      <textarea
        readOnly={isSending}
        name="text"
        aria-label="Message"
        placeholder="Write a message"
        rows={2}
        onKeyDown={submitOnEnter}
      />
      <label className="button">
        Attach
        <input type="file" multiple hidden onChange={({ target }) => setFiles([...(target.files ?? [])])} />
      </label>
      {isRunning ? (
        <button type="button" onClick={onStop}>
          Stop
        </button>
      ) : (
        <button className="primary">Send</button>
      )}
    </form>
  );
}
