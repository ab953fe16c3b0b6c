/**
 * What tests do with a terminal's socket, whatever it speaks with its server.
 */
import { StatusBook } from '../connections/status';
import { TerminalSocket } from '../connections/terminal';
import { IConnectionStatus } from '../tokens';
import { pass, until } from './tools';

export abstract class SocketRig {
  readonly book = new StatusBook();
  readonly closes: Array<{ code: number; reason: string }> = [];
  abstract readonly socket: TerminalSocket;

  get status(): IConnectionStatus {
    return this.book.get('terminal', '1');
  }

  /** Wait until it is open and set up. */
  async ready(): Promise<this> {
    await until('it is open', () => this.socket.readyState === WebSocket.OPEN);
    await pass(this.setUpMs);
    return this;
  }

  /** Wait until it is open and set up again. */
  async back(): Promise<void> {
    await until('it is back', () => this.status.state === 'connected');
    await pass(10);
  }

  type(text: string): void {
    this.socket.send(JSON.stringify(['stdin', text]));
  }

  /** How long the first messages take. */
  protected readonly setUpMs: number = 10;
}
