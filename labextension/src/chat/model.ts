/**
 * A room's messages as they stand now, and posting to it.
 */
import { UUID } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { ChatMessage } from '../protocol/generated';
import { IConnectionManager } from '../tokens';

/** A message of this tab that the server has not confirmed yet, or refused. */
export interface IOutgoing {
  readonly id: string;
  readonly text: string;
  readonly error: string | null;
}

/** The topic under which a room's messages are announced. */
type RoomTopic = `chat/${string}`;

export class RoomModel implements IDisposable {
  constructor(
    private readonly _manager: IConnectionManager,
    readonly room: string
  ) {
    const topic: RoomTopic = `chat/${room}`;
    this._subscription = _manager.subscribe(
      topic,
      {
        onEvent: ({ offset, data }) => this._add(offset ?? 0, data),
        onSnapshot: snapshot => {
          this._messages.clear();
          for (const { offset, message } of snapshot?.items ?? []) {
            this._put(offset, message);
          }
          this._changed.emit();
        },
        onError: error => {
          this._error = error.message;
          this._changed.emit();
        }
      },
      'earliest'
    );
  }

  /** Emitted when there is something new to show. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The messages that the server has, in its order. */
  get messages(): ChatMessage[] {
    return [...this._messages.values()]
      .sort((a, b) => a.offset - b.offset)
      .map(({ message }) => message);
  }

  /** What is on its way, or could not be sent. */
  get outgoing(): IOutgoing[] {
    return [...this._outgoing.values()];
  }

  /** Why the room cannot be read; null if it can. */
  get error(): string | null {
    return this._error;
  }

  /** Post a message; it stands in `outgoing` until the server has it. */
  async post(text: string, id: string = UUID.uuid4()): Promise<void> {
    this._outgoing.set(id, { id, text, error: null });
    this._changed.emit();
    try {
      const { offset, message } = await this._manager.request('chat.post', {
        room: this.room,
        text,
        id
      });
      this._add(offset, message);
    } catch (error) {
      if (this._messages.has(id)) {
        return;
      }
      const reason = error instanceof Error ? error.message : String(error);
      this._outgoing.set(id, { id, text, error: reason });
      this._changed.emit();
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._subscription.dispose();
      Signal.clearData(this);
    }
  }

  private _add(offset: number, message: ChatMessage): void {
    this._put(offset, message);
    this._changed.emit();
  }

  private _put(offset: number, message: ChatMessage): void {
    this._outgoing.delete(message.id);
    this._messages.set(message.id, { offset, message });
  }

  private readonly _subscription: IDisposable;
  private readonly _messages = new Map<
    string,
    { offset: number; message: ChatMessage }
  >();
  private readonly _outgoing = new Map<string, IOutgoing>();
  private readonly _changed = new Signal<this, void>(this);
  private _error: string | null = null;
  private _disposed = false;
}
