/** Colours code that is only shown, before its editor is there: a scanner, not a parser, with the editor's roles. */
export type Role = "keyword" | "string" | "number" | "comment" | "delimiter" | "text";
export interface Token {
  role: Role;
  text: string;
}

const KEYWORDS = new Set(
  "abstract as async await break case catch class const continue debugger declare default delete do else enum export extends false finally for from function get if implements import in infer instanceof interface is keyof let namespace new null of private protected public readonly return satisfies set static super switch this throw true try type typeof undefined unique using var void while with yield any boolean never number object string symbol unknown bigint".split(
    " ",
  ),
);

const PATTERN =
  /(\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|("(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|`(?:\\[\s\S]|[^`\\])*`?)|(\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?n?\b|\b0x[\da-f_]+\b)|([A-Za-z_$][\w$]*)|([{}()[\];,.<>=+\-*/%&|^!~?:@]+)|([\s\S])/gi;

export function highlight(code: string): Token[] {
  const tokens: Token[] = [];
  const push = (role: Role, text: string) => {
    const last = tokens.at(-1);
    if (last?.role === role) last.text += text;
    else tokens.push({ role, text });
  };
  for (const match of code.matchAll(PATTERN)) {
    const [text, comment, string, number, word, mark] = match;
    if (comment !== undefined) push("comment", text);
    else if (string !== undefined) push("string", text);
    else if (number !== undefined) push("number", text);
    else if (word !== undefined) push(KEYWORDS.has(word) ? "keyword" : "text", text);
    else push(mark !== undefined ? "delimiter" : "text", text);
  }
  return tokens;
}
