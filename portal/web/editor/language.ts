/**
 * NQL for the editor: which run of characters is a keyword, a table, a field, a function, a value, a comment.
 *
 * A tokenizer only: it colours what it sees, right or wrong, and what a name means is the portal's matter (diagnose,
 * complete). Words and patterns are those of the language's grammar (grammar.json is made from it); written here is only
 * what is expected where. Invariant: every call consumes at least one character. Colours are classes of
 * styles/sheets/editor.css.
 */
import { LanguageSupport, StreamLanguage, type StringStream, syntaxHighlighting } from "@codemirror/language";
import { tagHighlighter, tags } from "@lezer/highlight";
import grammar from "./grammar.json";

interface State {
  expect: "table" | "window" | "clause" | "names" | "value";
  clause: string;
  comment: boolean;
  lets: readonly string[];
}

const { clauses, window: windows, others, constants, comments, patterns } = grammar;
const CLAUSES = new Set(clauses);
const WINDOW = new Set(windows);
const OTHERS = new Set(others);
const CONSTANTS = new Set(constants);
const [OPEN, CLOSE] = comments.block as [string, string];
const JOINS = new Set(["with", "include"]);
const LOGIC = new Set(["and", "or"]);
const TEXT = here(`${patterns.text}|"[^"]*|'[^']*`);
const PARAMETER = here(`${patterns.parameter}|\\$`);
const VALUES = [patterns.address, patterns.date, patterns.version, patterns.number].map(here);
const OPERATOR = here(patterns.operator);
const PATH = here(patterns.path);

function here(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})`, "i");
}

function token(stream: StringStream, state: State): string | null {
  if (state.comment) return comment(stream, state);
  if (stream.eatSpace()) return null;
  if (stream.match(OPEN)) {
    state.comment = true;
    return comment(stream, state);
  }
  if (stream.match(comments.line)) {
    stream.skipToEnd();
    return "comment";
  }
  if (stream.eat("|")) {
    state.expect = "clause";
    return "operator";
  }
  if (stream.match(TEXT)) return after(state, "string");
  if (stream.match(PARAMETER)) return after(state, "parameter");
  if (VALUES.some((value) => stream.match(value))) return after(state, "number");
  const operator = stream.match(OPERATOR) as RegExpMatchArray | null;
  if (operator) return operated(state, operator[0].toLowerCase());
  const path = stream.match(PATH) as RegExpMatchArray | null;
  if (path) return named(stream, state, path[0].toLowerCase());
  return other(stream, state);
}

function comment(stream: StringStream, state: State): string {
  while (!stream.eol()) {
    if (stream.match(CLOSE)) {
      state.comment = false;
      break;
    }
    stream.next();
  }
  return "comment";
}

function after(state: State, kind: string): string {
  if (state.expect === "value") state.expect = "names";
  return kind;
}

function operated(state: State, operator: string): string {
  const names = operator === "=" && state.clause !== "where";
  const compares = !names && !LOGIC.has(operator) && !/^[+\-*/^]$/.test(operator);
  state.expect = compares ? "value" : "names";
  return /[a-z]/.test(operator) ? "keyword" : "operator";
}

function other(stream: StringStream, state: State): string {
  const character = stream.next();
  if (character === ";") state.expect = "table";
  if (character === ")" || character === "]") state.expect = "names";
  return character === "." || character === "," || character === ";" ? "punctuation" : "bracket";
}

function named(stream: StringStream, state: State, path: string): string {
  const follows = stream.string.slice(stream.pos).trimStart().charAt(0);
  const keyword = keywordOf(state, path, follows);
  if (keyword) return keyword;
  if (state.expect === "table" && follows !== ".") {
    state.expect = "window";
    return "table";
  }
  if (CONSTANTS.has(path)) return after(state, "constant");
  if (follows === "(") {
    if (!path.includes(".")) return "function";
    stream.backUp(path.length - path.lastIndexOf(".")); // the name of the function comes next, by itself
    return "field";
  }
  if (state.clause === "let" && follows === "=") state.lets = [...state.lets, path];
  if (state.expect === "value" && !path.includes(".") && !state.lets.includes(path)) return "member";
  return "field";
}

function keywordOf(state: State, word: string, follows: string): "keyword" | null {
  if (state.expect === "clause") {
    state.expect = JOINS.has(word) ? "table" : "names";
    state.clause = word;
    return CLAUSES.has(word) ? "keyword" : null;
  }
  if (follows === "=" || state.expect === "value") return null;
  if (state.expect === "table") {
    if (word !== "let") return null;
    state.expect = "names";
    state.clause = word;
    return "keyword";
  }
  return (state.expect === "window" ? WINDOW : OTHERS).has(word) ? "keyword" : null;
}

const parser = StreamLanguage.define<State>({
  name: "nql",
  startState: () => ({ expect: "table", clause: "", comment: false, lets: [] }),
  copyState: (state) => ({ ...state }),
  token,
  tokenTable: {
    table: tags.typeName,
    field: tags.propertyName,
    function: tags.function(tags.name),
    member: tags.atom,
    constant: tags.bool,
    parameter: tags.special(tags.variableName),
  },
  languageData: {
    commentTokens: { line: comments.line, block: { open: OPEN, close: CLOSE } },
    closeBrackets: { brackets: ["(", "[", '"', "'"] },
  },
});

const classes = tagHighlighter([
  { tag: tags.keyword, class: "nql-keyword" },
  { tag: tags.typeName, class: "nql-table" },
  { tag: tags.propertyName, class: "nql-field" },
  { tag: tags.function(tags.name), class: "nql-function" },
  { tag: tags.atom, class: "nql-member" },
  { tag: tags.bool, class: "nql-member" },
  { tag: tags.string, class: "nql-string" },
  { tag: tags.number, class: "nql-number" },
  { tag: tags.special(tags.variableName), class: "nql-parameter" },
  { tag: tags.comment, class: "nql-comment" },
  { tag: tags.operator, class: "nql-operator" },
  { tag: tags.punctuation, class: "nql-operator" },
  { tag: tags.bracket, class: "nql-operator" },
]);
/** The language with its colours. */
export function nql(): LanguageSupport {
  return new LanguageSupport(parser, [syntaxHighlighting(classes)]);
}

/** The language alone, for colouring text outside an editor. */
export { parser as nqlLanguage, classes as nqlClasses };
