const HIDDEN = "***";
/** What is called like this is nobody's business. */
const SECRET = /pass(word|wd|phrase)?$|secret|token|credential|api-?_?key|private-?_?key|^-*key$/i;

/**
 * A command's words as they are shown, logged and kept in the history: values that are called passwords, secrets, tokens,
 * keys or credentials, and passwords in addresses, are hidden. What is not called so cannot be known.
 */
export function shownCommand(argv: readonly string[]): readonly string[] {
  return argv.map((word, index) => {
    const before = argv[index - 1] ?? "";
    if (/^--?[^=]+$/.test(before) && SECRET.test(before) && !word.startsWith("-")) return HIDDEN;
    const [, name, separator] = /^([\w.-]+)(=)/.exec(word) ?? [];
    if (name !== undefined && SECRET.test(name)) return `${name}${separator}${HIDDEN}`;
    // Only from where a word begins: from each of its letters anew, a long word would take its length squared.
    return word.replace(/((?<!\w)\w+:\/\/[^\s/:@]*:)[^\s/@]+@/g, `$1${HIDDEN}@`);
  });
}

/** The same as one line. */
export function commandText(argv: readonly string[]): string {
  return shownCommand(argv).join(" ");
}
