// What the hostile agent tries, with limits that a shared machine survives. `full` needs a separate machine.

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

export interface Attack {
  readonly verb: string;
  readonly bound: number;
  /** Default: `bound`. */
  readonly full?: number;
  /** The maximum that the agent may get; undefined if only the victim's turns are judged. */
  readonly atMost?: number;
  /** The failure code that its turn must end with. */
  readonly endsWith?: string;
  /** Whether the smoke run includes it. */
  readonly isShort?: boolean;
}

const refused = { bound: 10, atMost: 0 } as const;

export const attacks: readonly Attack[] = [
  // Counted per host user.
  { verb: "epoll_watches", bound: 100_000, full: 4_000_000 },
  { verb: "epoll_by_duplicates", bound: 100_000, full: 500_000 },
  { verb: "inotify_instances", bound: 200, atMost: 16, isShort: true },
  { verb: "inotify_watches", bound: 5_000, full: 200_000 },
  { verb: "descriptors_under_way", bound: 2_000, full: 10_000 },
  { verb: "timers", bound: 20_000, full: 200_000, atMost: 1_024, isShort: true },
  { verb: "queued_signals", bound: 20_000, full: 200_000, atMost: 1_024, isShort: true },
  { verb: "pipes", bound: 1_500, full: 4_000 },
  { verb: "large_pipes", bound: 100, full: 1_000 },
  { verb: "message_queues", ...refused, isShort: true },
  { verb: "locked_shared_memory", bound: 500, atMost: 16 },
  { verb: "locked_memory", bound: 4 * MiB, atMost: 0 },
  { verb: "keys", ...refused },
  { verb: "user_namespaces", ...refused },
  { verb: "processes_that_sleep", bound: 300 },
  // Counted per machine.
  { verb: "terminals", bound: 500, full: 4_000, atMost: 64, isShort: true },
  { verb: "aio_events", ...refused, isShort: true },
  { verb: "semaphores", bound: 1_000, full: 40_000 },
  { verb: "shared_segments", bound: 1_000, full: 5_000 },
  { verb: "message_segments", bound: 1_000, full: 40_000 },
  { verb: "io_uring", ...refused },
  { verb: "fanotify", ...refused },
  { verb: "perf_events", ...refused },
  { verb: "open_files", bound: 8_000, full: 1_000_000 },
  { verb: "file_locks", bound: 5_000, full: 500_000 },
  // Files that sandboxes share.
  { verb: "leases", ...refused, isShort: true },
  { verb: "directory_notices", ...refused, isShort: true },
  { verb: "whole_file_locks", bound: 10 },
  { verb: "watch_shared_files", bound: 10 },
  // Memory that belongs to no single process.
  { verb: "memory_in_sockets", bound: 256 * MiB, full: 8 * GiB },
  { verb: "memory_in_tcp", bound: 128 * MiB, full: 2 * GiB },
  { verb: "memory_in_pipes", bound: 64 * MiB, full: 2 * GiB },
  { verb: "memory_in_files", bound: 256 * MiB, full: 8 * GiB },
  { verb: "many_names", bound: 100_000, full: 5_000_000 },
  // Processor time.
  { verb: "busy", bound: 8, full: 200 },
  { verb: "busy_sessions", bound: 8, full: 200 },
  { verb: "fork_bomb", bound: 0, endsWith: "too_many_processes", isShort: true },
  // Ends with too_many_processes or out_of_memory: the stacks of its threads count as memory.
  { verb: "thread_bomb", bound: 0 },
  { verb: "short_processes", bound: 0 },
  { verb: "flushes", bound: 0 },
  { verb: "much_output", bound: 0 },
  { verb: "sparse_files", bound: 8 * GiB, endsWith: "workspace_limit", isShort: true },
  { verb: "zeros", bound: 64 * MiB, full: 4 * GiB },
  { verb: "small_files", bound: 2_000, full: 100_000 },
  // Extended attributes of files. The second attack runs in another session, which has the same bytes.
  { verb: "attributes", bound: 1, atMost: 0, isShort: true },
  { verb: "look_for_attributes", bound: 1, atMost: 0, isShort: true },
];
