// The form for the next message: text, and files that are uploaded when it is sent.

import type { Lane } from "@dari/domain";
import { useRef, useState, type ClipboardEvent, type DragEvent, type FormEvent, type KeyboardEvent } from "react";
import { useAccount } from "../../data/account.ts";
import { useAction } from "../../data/action.ts";
import { sizeText } from "../../data/format.ts";
import { LaneField } from "../../parts/choice.tsx";
import { ErrorNote } from "../../parts/notes.tsx";

interface ComposerProps {
  readonly sessionId: string;
  /** True while a turn waits or runs, so that the next message waits. */
  readonly isBusy: boolean;
  /** The message that runs. Undefined: none does. */
  readonly runningId: string | undefined;
  /** True in a session without messages: the field gets the focus. */
  readonly isFirst: boolean;
}

export function Composer({ sessionId, isBusy, runningId, isFirst }: ComposerProps) {
  const { client } = useAccount();
  const [text, setText] = useState("");
  const [files, setFiles] = useState<readonly File[]>([]);
  const [lane, setLane] = useState<Lane>("interactive");
  const [onBusy, setOnBusy] = useState<OnBusy>("steer");
  const send = useAction(async () => {
    // Text that is typed during the call belongs to the next message. Text that could not be sent is put before it.
    setText("");
    setFiles([]);
    try {
      await sendNow();
    } catch (error) {
      setText((newer) => [text, newer].filter(Boolean).join("\n"));
      setFiles((newer) => [...files, ...newer]);
      throw error;
    }
  });
  const sendNow = async (): Promise<void> => {
    const uploaded = await Promise.all(
      files.map((file) => client.uploadFile({ filename: file.name, content: file, contentType: contentTypeOf(file) })),
    );
    const said = text.trim() === "" ? [] : [{ type: "text" as const, text }];
    const attached = uploaded.map(({ id, content_type: type }) => ({ type: partType(type), file_id: id }));
    const parts = [...said, ...attached];
    await client.sendMessageAsync(sessionId, { parts, lane, ...(isBusy ? { on_busy: onBusy } : {}) });
  };
  const add = (more: Iterable<File> | null): void => setFiles((old) => [...old, ...(more ?? [])]);
  const isEmpty = text.trim() === "" && files.length === 0;
  const submit = (event: FormEvent | KeyboardEvent): void => {
    event.preventDefault();
    if (!isEmpty) send.run();
  };
  return (
    <form className="composer" onSubmit={submit} onDragOver={(event) => event.preventDefault()} onDrop={dropOf(add)}>
      <label htmlFor="message">Message</label>
      <textarea
        id="message"
        data-composer
        autoFocus={isFirst}
        rows={3}
        placeholder="Enter sends, Shift+Enter starts a line"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => isSend(event) && submit(event)}
        onPaste={(event: ClipboardEvent) => event.clipboardData.files.length > 0 && add(event.clipboardData.files)}
      />
      <Attached files={files} remove={(gone) => setFiles(files.filter((file) => file !== gone))} />
      <ErrorNote error={send.error} />
      <div className="actions">
        <FileButton add={add} />
        <LaneField className="inline-choice" value={lane} onChange={setLane} />
        {isBusy && <BusyField value={onBusy} onChange={setOnBusy} />}
        {runningId !== undefined && <StopButton key={runningId} messageId={runningId} />}
        <button type="submit" className="primary" disabled={send.isRunning || isEmpty}>
          {send.isRunning ? "Sending …" : "Send"}
        </button>
      </div>
    </form>
  );
}

type OnBusy = keyof typeof busyTexts;

const busyTexts = {
  steer: "steer: the agent gets it now",
  enqueue: "queue: it starts afterwards",
} as const;

interface BusyFieldProps {
  readonly value: OnBusy;
  readonly onChange: (value: OnBusy) => void;
}

/** What happens with a message that is sent during a turn. */
function BusyField({ value, onChange }: BusyFieldProps) {
  return (
    <label className="inline-choice">
      During a turn
      <select value={value} onChange={(event) => onChange(event.target.value as OnBusy)}>
        {Object.entries(busyTexts).map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Cancels the running turn. */
function StopButton({ messageId }: { readonly messageId: string }) {
  const { client } = useAccount();
  // The turn ends some time after the answer, and the button with it.
  const [isStopping, setStopping] = useState(false);
  const stop = useAction(async () => {
    await client.cancelMessage(messageId);
    setStopping(true);
  });
  const isOff = stop.isRunning || isStopping;
  return (
    <>
      <ErrorNote error={stop.error} />
      <button type="button" className="stop" onClick={stop.run} disabled={isOff} title="Cancels the turn">
        <span className="square" aria-hidden="true" /> {isOff ? "Stopping …" : "Stop"}
      </button>
    </>
  );
}

function isSend(event: KeyboardEvent): boolean {
  return event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing;
}

function dropOf(add: (files: FileList) => void) {
  return (event: DragEvent): void => {
    event.preventDefault();
    add(event.dataTransfer.files);
  };
}

function contentTypeOf(file: File): string {
  return file.type === "" ? "application/octet-stream" : file.type;
}

/** Images in a format that models accept are sent as images, everything else as a file. */
function partType(contentType: string): "image" | "file" {
  return /^image\/(png|jpeg|gif|webp)$/.test(contentType) ? "image" : "file";
}

function FileButton({ add }: { readonly add: (files: Iterable<File> | null) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const take = (): void => {
    // Copy the list, because it is emptied below: then a removed file can be chosen again.
    add([...(input.current?.files ?? [])]);
    if (input.current !== null) input.current.value = "";
  };
  return (
    <>
      <input ref={input} type="file" multiple hidden aria-label="Files to attach" onChange={take} />
      <button type="button" onClick={() => input.current?.click()}>
        Attach files
      </button>
    </>
  );
}

interface AttachedProps {
  readonly files: readonly File[];
  readonly remove: (file: File) => void;
}

function Attached({ files, remove }: AttachedProps) {
  if (files.length === 0) return null;
  return (
    <ul className="chips" aria-label="Attached files">
      {files.map((file, index) => (
        <li key={`${index} ${file.name}`} className="tag">
          {file.name} <span className="faint">{sizeText(file.size)}</span>
          <button type="button" className="quiet" onClick={() => remove(file)} aria-label={`Remove ${file.name}`}>
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}
