// The lab contains programs and tests, and exports nothing.

export {};
