import { isReply } from '../terminalReplies';

describe('What a screen answers', () => {
  it.each([
    ['CPR', '\x1b[24;80R'],
    ['CPR in the first column', '\x1b[1;1R'],
    ['CPR in the first row', '\x1b[1;9R'],
    ['DECXCPR', '\x1b[?12;40R'],
    ['DA1', '\x1b[?1;2c'],
    ['DA2', '\x1b[>0;276;0c'],
    ['DSR', '\x1b[0n'],
    ['the colour scheme', '\x1b[?997;1n'],
    ['DECRPM', '\x1b[?2004;1$y'],
    ['the size of the window', '\x1b[8;24;80t'],
    ['the kitty protocol', '\x1b[?0u'],
    ['the foreground', '\x1b]10;rgb:0000/0000/0000\x07'],
    ['the background', '\x1b]11;rgb:ffff/ffff/ffff\x1b\\'],
    ['the cursor', '\x1b]12;rgb:ffff/ffff/ffff\x1b\\'],
    ['a colour of the palette', '\x1b]4;1;rgb:cdcd/0000/0000\x07'],
    ['DECRQSS', '\x1bP1$r0m\x1b\\'],
    ['two at once', '\x1b[1;1R\x1b[?1;2c']
  ])('is known: %s', (_, text) => {
    expect(isReply(text)).toBe(true);
  });

  it.each([
    ['a letter', 'R'],
    ['text', 'cat c\r'],
    ['Escape', '\x1b'],
    ['an arrow', '\x1b[A'],
    ['an arrow with Ctrl', '\x1b[1;5C'],
    ['F3', '\x1bOR'],
    ['F3 with Shift', '\x1b[1;2R'],
    ['F3 with Ctrl, Alt and Shift', '\x1b[1;8R'],
    ['F12', '\x1b[24~'],
    ['Alt-P', '\x1bP'],
    ['Alt-]', '\x1b]'],
    ['Alt-[', '\x1b['],
    ['a paste', '\x1b[200~\x1b[24;80R\x1b[201~'],
    ['a mouse button', '\x1b[<0;10;20M'],
    ['a mouse button in the old way', '\x1b[M !!'],
    ['the focus', '\x1b[I'],
    ['an answer and a key', '\x1b[24;80Rq'],
    ['a key and an answer', 'q\x1b[24;80R'],
    ['nothing', '']
  ])('is not what somebody types: %s', (_, text) => {
    expect(isReply(text)).toBe(false);
  });
});
