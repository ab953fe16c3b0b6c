/**
 * Which assistants there are, and which one the user has chosen to answer, room by room.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Asked, AssistantInfo } from '../protocol/generated';
import { IConnectionManager, IConnectionStatus } from '../tokens';
import { IKeep } from './outbox';

/** While one is not ready it is looked at again. */
const AGAIN_MS = 5000;

export class AssistantList implements IDisposable {
  /** Choices are kept in `keep` under `prefix`. */
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _keep: Pick<IKeep, 'getItem' | 'setItem'>,
    private readonly _prefix: string
  ) {
    _connections.statusChanged.connect(this._onStatus, this);
    void this.refresh();
  }

  /** Emitted when the list or a choice has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The assistants, the default one first. */
  get all(): readonly AssistantInfo[] {
    return this._all;
  }

  /** Where there is none: how to get one. */
  get hint(): readonly string[] {
    return this._hint;
  }

  get isReady(): boolean {
    return this._ready;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  get(name: string): AssistantInfo | undefined {
    return this._all.find(assistant => assistant.name === name);
  }

  /** Who answers what the user writes in a room; null: nobody who is not mentioned. */
  chosen(room: string): Asked | null {
    const kept = this._keep.getItem(this._prefix + room);
    const [name = '', model = ''] = kept?.split('\n') ?? [];
    const info = this.get(name);
    if (!info) {
      return null;
    }
    return { assistant: name, model: info.models.includes(model) ? model : '' };
  }

  choose(room: string, ask: Asked | null): void {
    const value = ask ? `${ask.assistant}\n${ask.model ?? ''}` : '';
    try {
      this._keep.setItem(this._prefix + room, value);
    } catch (error) {
      console.warn('The choice of an assistant could not be kept.', error);
    }
    this._changed.emit();
  }

  async refresh(): Promise<void> {
    clearTimeout(this._timer ?? undefined);
    try {
      const list = await this._connections.request('assistants.list', {});
      if (!this._disposed) {
        this._all = list.assistants;
        this._hint = list.hint;
        this._ready = true;
        this._changed.emit();
      }
    } catch (error) {
      // Chat goes on without; they are asked for again when the connection is back.
      console.warn('The assistants could not be listed.', error);
    }
    if (!this._disposed && this._all.some(({ state }) => state !== 'ok')) {
      this._timer = setTimeout(() => void this.refresh(), AGAIN_MS);
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer ?? undefined);
      this._connections.statusChanged.disconnect(this._onStatus, this);
      Signal.clearData(this);
    }
  }

  /** The server may have been started anew, with others. */
  private _onStatus(_: IConnectionManager, status: IConnectionStatus): void {
    if (status.service === 'main' && status.state === 'connected') {
      if (!this._connected) {
        void this.refresh();
      }
      this._connected = true;
    } else if (status.service === 'main') {
      this._connected = false;
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _all: readonly AssistantInfo[] = [];
  private _hint: readonly string[] = [];
  private _ready = false;
  private _connected = true;
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _disposed = false;
}
