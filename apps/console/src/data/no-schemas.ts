// Stands in for the library that makes the contract's schemas: the platform checks what pages send, and pages check
// nothing. It would be an eighth of what browsers are sent.

export default new Proxy({}, { get: () => (properties: unknown) => ({ properties }) });
