/** How the program that has the commands is called: the interpreter, its options, the file. */
export type Program = readonly [string, ...string[]];
