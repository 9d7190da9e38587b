import "a-package-that-is-not-installed";
export const agent = () => "never";
