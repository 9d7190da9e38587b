# Puts the memory of a template into huge pages: a fork then copies one entry of the page tables instead of 512, and the
# end of a child frees one. A page that a child writes is still copied alone.

import mmap
import time

_MADV_COLLAPSE = 25
_HUGE = 2 << 20
_PAGE = 4096
# The most that this may delay the first fork, in seconds.
_LIMIT = 0.5


def collapse_memory() -> None:
    """Uses huge pages where at least half of one is in use. Does nothing if the system cannot (Linux before 6.1)."""
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        madvise, mincore = libc.madvise, libc.mincore
    except (ImportError, OSError, AttributeError):
        return
    if mmap.PAGESIZE != _PAGE:
        return
    until = time.monotonic() + _LIMIT
    resident = (ctypes.c_ubyte * (_HUGE // _PAGE))()
    for start, end in _list_memory():
        first = -(-start // _HUGE) * _HUGE
        for address in range(first, end - _HUGE + 1, _HUGE):
            if time.monotonic() > until:
                return
            place = ctypes.c_void_p(address), ctypes.c_size_t(_HUGE)
            if mincore(*place, resident) == 0 and 2 * bytes(resident).count(1) >= len(resident):
                madvise(*place, _MADV_COLLAPSE)


def _list_memory() -> "list[tuple[int, int]]":
    """Returns the process's private writable memory of no file: [(start, end)]."""
    found = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            area, rights, _, device = line.split(maxsplit=4)[:4]
            if rights == "rw-p" and device == "00:00":
                start, end = area.split("-")
                found.append((int(start, 16), int(end, 16)))
    return found
