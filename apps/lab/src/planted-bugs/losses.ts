// The bugs in how lost workers count.

import type { Plant, TestName } from "./plant.ts";

const finishSql = "packages/db/functions/finish.sql";
const lostEachTime: TestName = {
  file: "packages/db/tests/steps/lost-workers.test.ts",
  test: "a turn that is lost each time fails after its attempts and the one that is added",
};

export const losses: readonly Plant[] = [
  {
    name: "attempts without a limit",
    says: "a turn that kills its worker each time is tried again for ever",
    edits: [
      {
        file: finishSql,
        sqlFunction: "has_no_try_left",
        find: "m.attempts + (a.called_at is not null)::int >= m.max_attempts or",
        replace: "",
      },
    ],
    caughtBy: lostEachTime,
  },
  {
    name: "an attempt for each lost worker",
    says: "a turn that kills its worker each time is tried again for ever, because each loss adds an attempt",
    edits: [
      {
        file: finishSql,
        sqlFunction: "with_extra_attempt",
        find: `and not exists (select 1 from attempts x where x.message_id = m.id and x.called_at is not null
          and is_platform_fault(x.failure))`,
        replace: "",
      },
    ],
    caughtBy: lostEachTime,
  },
  {
    name: "no attempt for a lost worker",
    says: "a turn whose only attempt loses its worker fails",
    edits: [
      {
        file: finishSql,
        sqlFunction: "with_extra_attempt",
        find: "m.max_attempts := m.max_attempts + 1;",
        replace: "null;",
      },
    ],
    caughtBy: lostEachTime,
  },
];
