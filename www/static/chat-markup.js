// The text of a message as nodes: code in backticks, links, mentions. Markup stays text, since nothing is parsed as HTML.

import { make } from "./chat-page.js";

// A block between lines of three backticks, or code between two backticks in one line.
const CODE = /```(?:[\w+-]*\n)?([^]*?)\n?```|`([^`\n]+)`/;
// A full stop or comma behind a URL is not part of it, and neither are characters that turn the direction of text.
const LINK = /(https?:\/\/[^\s<>"'`，。；：！？（）《》“”\u202a-\u202e\u2066-\u2069]*[^\s<>"'`，。；：！？（）《》“”\u202a-\u202e\u2066-\u2069.,;:!?)])/i;
// Letters of scripts that put no spaces between words: there a name has no edge.
const JOINED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
const IN_WORD = /[\p{L}\p{M}\p{N}_]/u;

// What "/me waves" says its author does; null for any other text.
export const actionOf = (string) => string.match(/^\/me\s+(\S[^]*)$/)?.[1] ?? null;

// A message in plain words: its text, or "* ann waves".
export function plainOf({ from, text }) {
  const action = actionOf(text);
  return action === null ? text : `* ${from} ${action}`;
}

// The nodes of a text; mentions of `name` are marked.
export function marked(string, name) {
  const nodes = [];
  // With two groups, `split` gives text, block, inline, text, block, inline, …
  const pieces = string.split(CODE);
  for (let n = 0; n < pieces.length; n += 3) {
    // A block has lines of its own; the line ends beside it are not shown.
    const behind = n > 0 && pieces[n - 2] !== undefined ? pieces[n].replace(/^\n/, "") : pieces[n];
    const plain = pieces[n + 1] !== undefined ? behind.replace(/\n$/, "") : behind;
    nodes.push(...linked(balanced(plain), name));
    if (pieces[n + 1] !== undefined) nodes.push(block(pieces[n + 1]));
    else if (pieces[n + 2] !== undefined) nodes.push(make("code", "", balanced(pieces[n + 2])));
  }
  return nodes;
}

// Where `name` is mentioned in a text: pairs of begin and end.
export function mentionsOf(string, name) {
  const found = [];
  if (!name) return found;
  const [text, wanted] = [string.toLowerCase(), name.toLowerCase()];
  // In a few languages lower case has another length; then only the exact spelling counts.
  const isSafe = text.length === string.length;
  for (let at = 0; (at = isSafe ? text.indexOf(wanted, at) : string.indexOf(name, at)) >= 0; at += name.length) {
    const end = at + name.length;
    if (!isEdge(string.slice(0, at), name) || !isEdge(string.slice(end), name, true)) continue;
    found.push([string[at - 1] === "@" ? at - 1 : at, end]);
  }
  return found;
}

// Whether a name may begin (or, `behind` it, end) next to this text.
function isEdge(neighbours, name, isBehind = false) {
  const all = [...(isBehind ? neighbours.slice(0, 2) : neighbours.slice(-2))];
  const neighbour = (isBehind ? all[0] : all.at(-1)) ?? "";
  const own = isBehind ? [...name].at(-1) : [...name][0];
  return !IN_WORD.test(neighbour) || JOINED.test(own) || JOINED.test(neighbour);
}

function block(code) {
  const made = make("pre", "");
  made.append(make("code", "", balanced(code)));
  made.tabIndex = 0; // it scrolls sideways
  return made;
}

function linked(string, name) {
  return string.split(LINK).flatMap((piece, n) => {
    if (n % 2 === 0) return mentioned(piece, name);
    const link = make("a", "", piece);
    link.href = piece;
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
    return link;
  });
}

function mentioned(string, name) {
  const nodes = [];
  let from = 0;
  for (const [begin, end] of mentionsOf(string, name)) {
    nodes.push(string.slice(from, begin), make("mark", "", string.slice(begin, end)));
    from = end;
  }
  nodes.push(string.slice(from));
  return nodes.filter((node) => node !== "");
}

// Takes out the controls that force a direction, and those that close what is not open; what is open is closed at the end
// of its line. So a text cannot turn what stands beside it (Unicode Standard Annex 9, section 2).
export function balanced(string) {
  return string.split("\n").map(balancedLine).join("\n");
}

const OPENS = { "\u202a": "\u202c", "\u202b": "\u202c", "\u2066": "\u2069", "\u2067": "\u2069", "\u2068": "\u2069" };

function balancedLine(line) {
  if (!/[\u202a-\u202e\u2066-\u2069]/.test(line)) return line;
  const open = [];
  let out = "";
  for (const letter of line) {
    if (letter === "\u202d" || letter === "\u202e") open.push("");
    else if (OPENS[letter]) {
      open.push(OPENS[letter]);
      out += letter;
    } else if (letter === "\u202c" || letter === "\u2069") {
      const last = open.at(-1);
      if (last !== letter && !(last === "" && letter === "\u202c")) continue;
      open.pop();
      out += last;
    } else out += letter;
  }
  return out + open.reverse().join("");
}
