/**
 * What a screen answers to the queries of programs. In history nobody waits for such an answer any more, and a shell
 * would take it for typed.
 * Source: XTerm Control Sequences, T. Dickey, patch 398.
 */
const REPLIES = [
  /** CPR and DECXCPR; not `CSI 1 ; 2…8 R`, which F3 with Shift, Alt or Ctrl is. */
  '\\[(?!1;[2-8]R)\\??\\d+(?:;\\d+){1,2}R',
  /** DA1, DA2, DA3. */
  '\\[[?>=][\\d;]*c',
  /** DSR: "ready", and the private ones. */
  '\\[\\??\\d+(?:;\\d+)*n',
  /** DECRPM. */
  '\\[\\??\\d+;\\d+\\$y',
  /** Reports on the window. */
  '\\[\\d+(?:;\\d+)+t',
  /** The state of the kitty keyboard protocol. */
  '\\[\\?\\d+u',
  /** Colours: OSC 4, 10, 11, 12 and their like. */
  '\\](?:4;\\d+|1\\d);[^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)',
  /** DECRQSS, XTVERSION, XTGETTCAP. */
  'P[^\\u001b]*\\u001b\\\\'
];

const REPLY = new RegExp(
  `^(?:\\u001b(?:${REPLIES.map(one => `(?:${one})`).join('|')}))+$`
);

/** Whether this is nothing but answers of the screen. */
export function isReply(text: string): boolean {
  return REPLY.test(text);
}
