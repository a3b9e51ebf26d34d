/**
 * NQL for the editor: which run of characters is a keyword, a table, a field, a function, a value, a comment.
 *
 * A tokenizer only: it colours what it sees, right or wrong, and what a name means is the portal's matter (diagnose,
 * complete). Invariant: every call consumes at least one character. Colours are classes of styles/sheets/editor.css.
 */
import { LanguageSupport, StreamLanguage, type StringStream, syntaxHighlighting } from "@codemirror/language";
import { tagHighlighter, tags } from "@lezer/highlight";

interface State {
  expect: "table" | "window" | "names" | "value";
  comment: boolean;
}

const CLAUSES = new Set(["where", "with", "include", "compute", "summarize", "list", "sort", "limit"]);
const TIME = new Set(["during", "past", "from", "to", "on", "by", "ago"]);
const WORDS = new Set(["and", "or", "in", "contains", "by", "asc", "desc"]);
const CONSTANTS = new Set(["null", "true", "false"]);
const NUMBER = /^(?:v\d+(?:\.\d+)*|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?Z?)?|\d{1,3}(?:\.\d{1,3}){3}(?:\/\d+)?|\d+(?:\.\d+)?(?: ?(?:ms|min|[smhd]|[KMGT]?B)\b)?)/i;
const NAME = /^#?[A-Za-z_]\w*/;
const OPERATOR = /^(?:!in\b|!contains\b|==|!=|<=|>=|[=<>+\-*/^])/i;
const COMPARES = /^(?:==|!=|<=|>=|=|<|>|!in|!contains)$/i;

function token(stream: StringStream, state: State): string | null {
  if (state.comment) return comment(stream, state);
  if (stream.eatSpace()) return null;
  if (stream.match("/*")) {
    state.comment = true;
    return comment(stream, state);
  }
  if (stream.eat("|")) {
    state.expect = "names";
    return "operator";
  }
  if (stream.match(/^(?:"[^"\n]*"?|'[^'\n]*'?)/)) return after(state, "string");
  if (stream.match(/^\$\w*/)) return after(state, "parameter");
  if (stream.match(NUMBER)) return after(state, "number");
  const operator = stream.match(OPERATOR) as RegExpMatchArray | null;
  if (operator) {
    if (COMPARES.test(operator[0])) state.expect = "value";
    return /^!/.test(operator[0]) && operator[0] !== "!=" ? "keyword" : "operator";
  }
  const name = stream.match(NAME) as RegExpMatchArray | null;
  if (name) return named(stream, state, name[0].toLowerCase());
  const character = stream.next();
  if (character === ")" || character === "]") state.expect = "names";
  return character === "." || character === "," ? "punctuation" : "bracket";
}

function comment(stream: StringStream, state: State): string {
  while (!stream.eol()) {
    if (stream.match("*/")) {
      state.comment = false;
      break;
    }
    stream.next();
  }
  return "comment";
}

function after(state: State, kind: string): string {
  if (state.expect === "value" && kind !== "number") state.expect = "names";
  return kind;
}

function named(stream: StringStream, state: State, word: string): string {
  const follows = stream.string.slice(stream.pos).trimStart().charAt(0);
  const step = stream.string.charAt(stream.start - 1) === ".";
  if (!step && CLAUSES.has(word) && follows !== "." && state.expect !== "value") {
    state.expect = word === "with" || word === "include" ? "table" : "names";
    return "keyword";
  }
  if (state.expect === "table") {
    if (follows !== ".") state.expect = "window";
    return "table";
  }
  if (state.expect === "window" && TIME.has(word)) return "keyword";
  if (!step && WORDS.has(word)) {
    if (word === "in" || word === "contains") state.expect = "value";
    else if (state.expect === "value") state.expect = "names";
    return "keyword";
  }
  if (CONSTANTS.has(word)) return after(state, "constant");
  if (follows === "(") return "function";
  if (state.expect === "value" && follows !== "." && !step) return "member";
  return "field";
}

const parser = StreamLanguage.define<State>({
  name: "nql",
  startState: () => ({ expect: "table", comment: false }),
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
    commentTokens: { block: { open: "/*", close: "*/" } },
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
