export const agent = () => "never";
throw new Error("top level trouble");
