/**
 * A kept connection on a server in memory.
 */
import { IKept, Keeper } from '../connections/keeper';
import { StatusBook } from '../connections/status';
import { Verdict } from '../connections/transport';
import { IConnectionStatus } from '../tokens';
import { FakeServer } from './fakeServer';
import { until } from './tools';

/** Its owner counts as connected as soon as it is open. */
export class KeeperRig implements IKept {
  readonly server = new FakeServer();
  readonly book = new StatusBook();
  readonly statuses: IConnectionStatus[] = [];
  readonly told: unknown[] = [];
  readonly keeper: Keeper;
  confirms = true;
  asked = 0;

  constructor(public verdict: Verdict | Promise<Verdict> = 'retry') {
    this.server.latencyMs = 0;
    this.book.changed.connect((_, status) => this.statuses.push(status));
    this.keeper = new Keeper(
      {
        service: 'terminal',
        id: '7',
        path: ['terminal', '7'],
        subprotocol: null,
        connect: this.server.connect,
        ask: async () => {
          this.asked += 1;
          return this.verdict;
        },
        book: this.book
      },
      this
    );
  }

  get status(): IConnectionStatus {
    return this.book.get('terminal', '7');
  }

  get attempts(): number {
    return this.server.sockets.length;
  }

  /** Milliseconds until the next attempt. */
  async pause(): Promise<number> {
    const [before, began] = [this.attempts, Date.now()];
    await until('it tries again', () => this.attempts > before);
    return Date.now() - began;
  }

  opened(again: boolean): boolean {
    this.told.push(['opened', again]);
    return this.confirms;
  }

  received(data: string | ArrayBuffer): void {
    this.told.push(['received', data]);
  }

  dropped(): void {
    this.told.push('dropped');
  }

  ended(code: number, reason: string): void {
    this.told.push(['ended', code, reason]);
  }
}
