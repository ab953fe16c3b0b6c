/**
 * What is plotted of this tab's connections: measured while somebody looks.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import {
  IConnectionManager,
  IConnectionStatus,
  ITransferManager
} from '../tokens';
import { History } from './history';

const EVERY_MS = 2000;

export class Plots implements IDisposable {
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _transfers: ITransferManager
  ) {}

  /** Emitted with each new value. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Milliseconds of the connection for messages; null while it is not connected. */
  readonly roundTrip = new History();
  /** Bytes per second of the transfers of this tab. */
  readonly throughput = new History();

  /** Measure, or rest. */
  watch(isWatched: boolean): void {
    if (isWatched && !this._disposed && this._timer === null) {
      this._last = this._connections.getConnectionStatus('main');
      this._connections.statusChanged.connect(this._onStatus, this);
      this._timer = setInterval(() => this._measure(), EVERY_MS);
      this._measure();
    } else if (!isWatched && this._timer !== null) {
      clearInterval(this._timer);
      this._timer = null;
      this._connections.statusChanged.disconnect(this._onStatus, this);
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this.watch(false);
      Signal.clearData(this);
    }
  }

  private _measure(): void {
    const rates = this._transfers.transfers
      .filter(({ here, state }) => here && state === 'running')
      .map(({ rate }) => rate);
    this.throughput.push(rates.reduce((sum, rate) => sum + rate, 0));
    if (this._connections.getConnectionStatus('main').state === 'connected') {
      this._connections.measure();
    } else {
      this.roundTrip.push(null);
    }
    this._changed.emit();
  }

  private _onStatus(_: IConnectionManager, status: IConnectionStatus): void {
    const { service, state, since, roundTripMs } = status;
    if (service !== 'main') {
      return;
    }
    const before = this._last;
    this._last = status;
    // What has changed of a connection that stands is its round trip.
    const stood = before?.state === 'connected' && before.since === since;
    if (stood && state === 'connected' && roundTripMs !== null) {
      this.roundTrip.push(roundTripMs);
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _timer: ReturnType<typeof setInterval> | null = null;
  private _last: IConnectionStatus | null = null;
  private _disposed = false;
}
