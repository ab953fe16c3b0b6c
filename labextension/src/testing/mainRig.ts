/**
 * A main connection on a server in memory.
 */
import { MainConnection } from '../connections/main';
import { StatusBook } from '../connections/status';
import { Verdict } from '../connections/transport';
import { IConnectionStatus } from '../tokens';
import { FakeServer } from './fakeServer';
import { until, watch } from './tools';

export class MainRig {
  readonly server = new FakeServer();
  readonly book = new StatusBook();
  readonly main: MainConnection;
  verdict: Verdict = 'retry';

  constructor(now?: () => number) {
    this.main = new MainConnection({
      connect: this.server.connect,
      ask: async () => this.verdict,
      book: this.book,
      version: '1.2.3',
      now
    });
  }

  get status(): IConnectionStatus {
    return this.book.get('main');
  }

  /** Connect, and wait until that is done. */
  async connected(): Promise<this> {
    const end = watch(this.main.connect());
    await until('it is connected', () => end.settled);
    return this;
  }

  /** Wait until it is connected again. */
  async back(): Promise<void> {
    await until('it is back', () => this.status.state === 'connected');
  }

  /** Break the connection; gives the socket that was open. */
  cut(): void {
    this.server.last.cut();
  }
}
