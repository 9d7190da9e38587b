// Shown to an organization without agents.

import { Empty } from "./notes.tsx";

export function NoAgents() {
  return (
    <Empty title="No agents yet" command="dari deploy .">
      Deploy one from the folder that holds its <code>dari.yml</code>; <code>dari init my-agent</code> writes you one to
      start from.
    </Empty>
  );
}
