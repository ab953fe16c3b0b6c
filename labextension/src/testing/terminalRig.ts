/**
 * A terminal's socket on a server in memory that speaks terminado's protocol.
 */
import { TerminalSocket } from '../connections/terminal';
import { Verdict } from '../connections/transport';
import { FakeServer } from './fakeServer';
import { SocketRig } from './socketRig';
import { settingsWith } from './tools';

export const SETUP = '["setup", {}]';
/** ESC c in a message: the screen is cleared. */
export const CLEAR = '["stdout","\\u001bc"]';

export class TerminalRig extends SocketRig {
  readonly server = new FakeServer();
  readonly states: string[] = [];
  /** What the holder was told. */
  readonly messages: string[] = [];
  readonly socket: TerminalSocket;
  opens = 0;
  verdict: Verdict = 'retry';
  exists: boolean | null = true;

  constructor() {
    super();
    // As where the terminals are not ours: the server selects no subprotocol, and speaks JSON.
    this.server.select = () => '';
    this.server.onOpen = socket => socket.give(SETUP);
    this.book.changed.connect((_, { state }) => this.states.push(state));
    this.socket = new TerminalSocket('1', '1', {
      settings: settingsWith(),
      connect: this.server.connect,
      ask: async () => this.verdict,
      exists: async () => this.exists,
      book: this.book
    });
    this.socket.onopen = () => (this.opens += 1);
    this.socket.onmessage = event => this.messages.push(String(event.data));
    this.socket.onclose = ({ code, reason }) =>
      this.closes.push({ code, reason });
  }

  /** The attempts in JSON: the first one of all was made in the binary protocol. */
  get attempts(): number {
    return this.server.sockets.length - 1;
  }

  resize(rows: number, columns: number): void {
    this.socket.send(JSON.stringify(['set_size', rows, columns]));
  }

  /** What the newest socket of the server got. */
  get got(): unknown[] {
    return this.server.last.texts.map(text => JSON.parse(text) as unknown);
  }
}
