/**
 * What is said of a terminal's end and of what was lost.
 */

/** Signals that have the same number everywhere: POSIX, `kill -l`. */
const SIGNALS: { [signal: number]: string } = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM'
};

/** How the program has ended; a code below 0: it is not known. */
export function exitLine(code: number, signal: number): string {
  if (signal !== 0) {
    const name = SIGNALS[signal];
    return `ended by signal ${signal}${name ? ` (${name})` : ''}`;
  }
  return code < 0
    ? 'exited, its status is not known'
    : `exited with status ${code}`;
}

/** The server does not know whether it has got what was typed last. */
export function lostText(characters: number): string {
  const what = characters === 1 ? 'character' : 'characters';
  return `The last ${characters} ${what} that you typed may be lost.`;
}
