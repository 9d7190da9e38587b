// The lab has programs and tests, and nothing that others import.

export {};
