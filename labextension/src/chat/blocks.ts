/**
 * A growing Markdown text in blocks, so that only the last one has to be rendered anew when some more of it has come.
 */

const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/**
 * The text in pieces that add up to it, cut at blank lines outside of fenced code and before lines that are not
 * indented: what stands before a cut is rendered the same whatever follows (except for references that are defined
 * later; the finished text is rendered as a whole).
 */
export function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let start = 0;
  let at = 0;
  let fence: string | null = null;
  let wasBlank = false;
  while (at < text.length) {
    const next = text.indexOf('\n', at) + 1 || text.length;
    const line = text.slice(at, next);
    const [, mark] = FENCE.exec(line) ?? [];
    if (fence === null && wasBlank && at > start && /^\S/.test(line)) {
      blocks.push(text.slice(start, at));
      start = at;
    }
    if (fence === null && mark !== undefined) {
      fence = mark;
    } else if (fence !== null && closes(line, fence)) {
      fence = null;
    }
    wasBlank = line.trim() === '';
    at = next;
  }
  return start < text.length ? [...blocks, text.slice(start)] : blocks;
}

function closes(line: string, fence: string): boolean {
  const said = line.trim();
  return (
    said.length >= fence.length && said === fence.charAt(0).repeat(said.length)
  );
}
