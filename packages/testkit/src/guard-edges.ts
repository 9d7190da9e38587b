// Refuses state changes that no machine declares. For tests and chaos runs; no program installs it.

import { messageMachine, scheduleMachine, type Machine } from "@dari/domain";

interface Guard {
  readonly table: string;
  readonly column: string;
  readonly machine: Machine<string, string>;
}

const guards: readonly Guard[] = [
  { table: "sessions", column: "schedule", machine: scheduleMachine },
  { table: "messages", column: "state", machine: messageMachine },
];

/** Disables the guard for the rest of the transaction, for tests that write a state directly. */
export const unguardEdgesSql = "select set_config('dari.unguarded', 'on', true)";

/**
 * Returns the statements that make the database refuse an undeclared edge. They can be repeated. The error has its own
 * code, because functions that survive a broken row catch the usual ones.
 */
export function edgeGuardSql(): string {
  return [refusal, ...guards.map(triggerOf)].join("\n");
}

const refusal = `
create or replace function dari.refuse_undeclared_edge() returns trigger language plpgsql as $$
begin
  raise exception 'undeclared edge of %.%: % -> % (%)', tg_table_name, tg_argv[0], to_jsonb(old) ->> tg_argv[0],
    to_jsonb(new) ->> tg_argv[0], new.id using errcode = 'DA001', hint = 'declare it in packages/domain/src/states.ts';
end $$;`;

function triggerOf({ table, column, machine }: Guard): string {
  const edges = Object.values(machine.edges).flatMap(({ from, to }) => from.map((state) => `('${state}', '${to}')`));
  return `
create or replace trigger refuse_undeclared_edge before update of ${column} on dari.${table} for each row
  when (old.${column} <> new.${column} and current_setting('dari.unguarded', true) is distinct from 'on'
    and (old.${column}, new.${column}) not in (${edges.join(", ")}))
  execute function dari.refuse_undeclared_edge('${column}');`;
}
