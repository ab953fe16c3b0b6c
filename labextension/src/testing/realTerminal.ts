/**
 * A terminal of a real server, and JupyterLab's own connection to it.
 */
import { TerminalConnection } from '@jupyterlab/services/lib/terminal/default';

import { RealServer } from './realServer';

/** What was opened. */
export interface IOpened {
  name: string;
  terminal: TerminalConnection;
  /** Everything that was written to the screen. */
  output: { text: string };
  type(text: string): void;
}

/** Make a terminal, and connect to it over a class of sockets. */
export async function openTerminal(
  server: RealServer,
  Socket: typeof WebSocket
): Promise<IOpened> {
  const { name } = (await server.rest('POST', 'terminals')) as {
    name: string;
  };
  const serverSettings = server.settings({ WebSocket: Socket });
  const terminal = new TerminalConnection({ model: { name }, serverSettings });
  const output = { text: '' };
  terminal.messageReceived.connect((_, { type, content }) => {
    output.text += type === 'stdout' ? String(content?.[0]) : '';
  });
  const type = (text: string) =>
    terminal.send({ type: 'stdin', content: [text] });
  return { name, terminal, output, type };
}
