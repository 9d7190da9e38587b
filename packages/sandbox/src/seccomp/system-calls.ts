// The system calls that a sandbox must not use. Numbers for x86_64 and arm64; null if the call does not exist there.

type Numbers = readonly [x64: number, arm64: number | null];

/** Mounts, namespaces, other processes' memory, keys, the kernel's own programs and settings. */
export const forbidden: Readonly<Record<string, Numbers>> = {
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  setns: [308, 268],
  unshare: [272, 97],
  mount_setattr: [442, 442],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  create_module: [174, null],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  get_kernel_syms: [177, null],
  query_module: [178, null],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  syslog: [103, 116],
  acct: [163, 89],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  iopl: [172, null],
  ioperm: [173, null],
  modify_ldt: [154, null],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  lookup_dcookie: [212, 18],
  nfsservctl: [180, 42],
  vhangup: [153, 58],
  move_pages: [279, 239],
  migrate_pages: [256, 238],
  mbind: [237, 235],
  set_mempolicy: [238, 237],
  set_mempolicy_home_node: [450, 450],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  uselib: [134, null],
  ustat: [136, null],
  sysfs: [139, null],
  _sysctl: [156, null],
};

/**
 * Answered as unknown to the kernel, so that programs use another way: clone3 hides its flags behind a pointer, and
 * io_uring makes system calls, both invisible to filters.
 */
export const absent: Readonly<Record<string, Numbers>> = {
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  // The kernel counts asynchronous I/O of the whole machine (fs.aio-max-nr).
  io_setup: [206, 0],
  // The kernel counts message queues' bytes by host user (RLIMIT_MSGQUEUE).
  mq_open: [240, 180],
  // Flags of files outlive the turn in a kept workspace; see `attributes`.
  file_setattr: [469, 469],
};

/**
 * Extended attributes are answered with ENOTSUP, as on a file system without them. Snapshots do not store attributes,
 * and a workspace that a worker keeps would show them to another session.
 */
export const attributes: Readonly<Record<string, Numbers>> = {
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  fsetxattr: [190, 7],
  setxattrat: [463, 463],
};

/**
 * What a sandbox without namespaces would share with the host and leave behind. Ids of existing objects can be guessed,
 * so using them is forbidden as well as creating them.
 */
export const shared: Readonly<Record<string, Numbers>> = {
  shmget: [29, 194],
  shmat: [30, 196],
  shmctl: [31, 195],
  semget: [64, 190],
  semop: [65, 193],
  semtimedop: [220, 192],
  semctl: [66, 191],
  msgget: [68, 186],
  msgsnd: [69, 189],
  msgrcv: [70, 188],
  msgctl: [71, 187],
};

/** Allowed with some arguments only. */
export const inspected = {
  clone: [56, 220],
  fcntl: [72, 25],
  ioctl: [16, 29],
  socket: [41, 198],
  socketpair: [53, 199],
  personality: [135, 92],
  sendto: [44, 206],
  sendmsg: [46, 211],
  sendmmsg: [307, 269],
  setsockopt: [54, 208],
} satisfies Record<string, Numbers>;

/** Newer calls are answered as unknown, because this list was not checked for them. So are x86's x32 calls. */
export const newestKnown = 470;
