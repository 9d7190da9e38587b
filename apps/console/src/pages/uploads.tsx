// Uploaded files: what messages can refer to. Download and delete them.

import type { FileRecord } from "@dari/contract";
import { useAccount } from "../data/account.ts";
import { useAction } from "../data/action.ts";
import { sizeText } from "../data/format.ts";
import { useList, useLive } from "../data/load.ts";
import { saveAs } from "../data/save-as.ts";
import { Id } from "../parts/copyable.tsx";
import { ConfirmButton } from "../parts/dialog.tsx";
import { Empty, ErrorNote } from "../parts/notes.tsx";
import { Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Ago } from "../parts/time.tsx";

/** Pause between two answers while the page is visible, in milliseconds. */
const updateEveryMs = 5_000;

export function UploadsPage() {
  const { client } = useAccount();
  const list = useList("files", (page) => client.listFiles(page));
  useLive(updateEveryMs, list);
  const download = useAction(async ({ id, filename }: FileRecord) => saveAs(filename, await client.getFileContent(id)));
  const remove = useAction(async ({ id }: FileRecord) => {
    await client.deleteFile(id);
    list.reload();
  });
  return (
    <Page title="Uploaded files" says="Files that clients have uploaded for messages.">
      <ErrorNote error={download.error ?? remove.error} />
      <Table
        label="Uploaded files"
        list={list}
        keyOf={({ id }) => id}
        columns={[
          {
            title: "Name",
            cell: ({ filename }) => (
              <span className="clip" title={filename}>
                {filename}
              </span>
            ),
            isWide: true,
          },
          { title: "Size", cell: ({ size_bytes: size }) => sizeText(size), isNumber: true },
          { title: "Type", cell: ({ content_type: type }) => <code className="clip">{type}</code>, isMinor: true },
          { title: "Id", cell: ({ id }) => <Id of={id} />, isMinor: true },
          { title: "Uploaded", cell: ({ created_at: time }) => <Ago time={time} />, isMinor: true },
          {
            title: "Actions",
            cell: (file) => (
              <>
                <button type="button" className="quiet" onClick={() => download.run(file)}>
                  Download
                </button>
                <ConfirmButton
                  label="Delete"
                  of={`Delete ${file.filename}`}
                  tone="quiet"
                  title={`Delete ${file.filename}?`}
                  says="Sessions that already have it keep their copy. New messages cannot refer to it."
                  verb="Delete it"
                  onConfirm={() => remove.run(file)}
                />
              </>
            ),
            isAction: true,
          },
        ]}
        empty={<Empty title="No files yet" command="dari files upload report.pdf" />}
      />
    </Page>
  );
}
