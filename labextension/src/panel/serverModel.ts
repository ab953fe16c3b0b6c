/**
 * What the server tells of itself, while somebody looks: its services, what runs on it, what it uses.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import {
  ConnectionTotals,
  EventsOf,
  Health,
  ProcessStatus,
  RunningStatus,
  TransferTotals
} from '../protocol/generated';
import { IConnectionManager } from '../tokens';
import { History } from './history';

type Events = EventsOf<'status'>;
type Kind = keyof Events;

const byName = (a: { id: string }, b: { id: string }) =>
  a.id.localeCompare(b.id, undefined, { numeric: true });

export class ServerModel implements IDisposable {
  constructor(private readonly _connections: IConnectionManager) {}

  /** Emitted when there is something new to show. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether the server has told anything yet. */
  get isKnown(): boolean {
    return this._values.size > 0;
  }

  /** Why nothing is known; null if that is not so. */
  get error(): string | null {
    return this._error;
  }

  /** By name. */
  get services(): Health[] {
    return this._all('service').sort(byName);
  }

  get kernels(): RunningStatus[] {
    return this._all('kernel').sort(byName);
  }

  get terminals(): RunningStatus[] {
    return this._all('terminal').sort(byName);
  }

  get transfers(): TransferTotals | null {
    return this._all('transfers')[0] ?? null;
  }

  get connections(): ConnectionTotals | null {
    return this._all('connections')[0] ?? null;
  }

  get process(): ProcessStatus | null {
    return this._all('process')[0] ?? null;
  }

  /** Shares of one core. */
  readonly cpu = new History();
  /** Bytes. */
  readonly memory = new History();
  /** Milliseconds. */
  readonly lag = new History();
  /** Bytes per second of all users' transfers. */
  readonly throughput = new History();

  /** Follow the server, or leave it alone: it does this work for those who look. */
  watch(isWatched: boolean): void {
    if (isWatched && !this._disposed && this._following === null) {
      this._following = this._follow();
    } else if (!isWatched) {
      this._following?.dispose();
      this._following = null;
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this.watch(false);
      Signal.clearData(this);
    }
  }

  private _follow(): IDisposable {
    this._error = null;
    return this._connections.subscribe('status', {
      onEvent: ({ kind, data }) => {
        this._take(kind, data);
        this._changed.emit();
      },
      onSnapshot: snapshot => {
        this._values.clear();
        for (const { kind, data } of snapshot ?? []) {
          this._take(kind as Kind, data as Events[Kind]);
        }
        this._changed.emit();
      },
      onError: error => {
        this._error = error.message;
        this._values.clear();
        this._changed.emit();
      }
    });
  }

  private _take<K extends Kind>(kind: K, data: Events[K]): void {
    const key = `${kind}/${data.id}`;
    if (data.gone) {
      this._values.delete(key);
      return;
    }
    this._values.set(key, { kind, data });
    if (kind === 'process') {
      const { cpu, memory, loop_lag_ms } = data as ProcessStatus;
      this.cpu.push(cpu);
      this.memory.push(memory);
      this.lag.push(loop_lag_ms);
      this.throughput.push(this.transfers?.bytes_per_s ?? 0);
    }
  }

  private _all<K extends Kind>(kind: K): Array<Events[K]> {
    return [...this._values.values()]
      .filter(one => one.kind === kind)
      .map(({ data }) => data as Events[K]);
  }

  private readonly _values = new Map<
    string,
    { kind: Kind; data: Events[Kind] }
  >();
  private readonly _changed = new Signal<this, void>(this);
  private _following: IDisposable | null = null;
  private _error: string | null = null;
  private _disposed = false;
}
