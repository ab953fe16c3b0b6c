/**
 * What this user has written and the server has not confirmed yet.
 *
 * It is kept in the browser's storage until it is confirmed, so that it survives a reload; each message keeps its id,
 * so that it stands in the room once, however often it is sent. In each room they are sent in the order in which they
 * were written, one at a time.
 */
import { UUID } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

import { HubError } from '../protocol/errors';
import { Asked, Attachment, ChatMessage } from '../protocol/generated';
import { IConnectionManager } from '../tokens';

/** How it is with a message of the outbox. `waiting`: it is not its turn yet, or it is tried again soon. */
export type OutgoingState = 'waiting' | 'sending' | 'failed';

/** A message that is to be sent. */
export interface IDraft {
  readonly room: string;
  readonly text: string;
  readonly replyTo: string;
  readonly attachments: readonly Attachment[];
  readonly ask: readonly Asked[];
}

/** A message that is on its way. */
export interface IOutgoing extends IDraft {
  readonly id: string;
  /** Milliseconds since 1970-01-01 UTC, by this browser's clock. */
  readonly time: number;
  readonly state: OutgoingState;
  /** Why it is not sent, for a person. */
  readonly error: string | null;
}

/** What keeps the outbox: the part of `Storage` that is needed. */
export interface IKeep {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** Messages that may wait; more of them would fill the browser's storage. */
export const MAX_OUTGOING = 200;

export class Outbox {
  /** `prefix` names the server and the user: another user of this browser sends nothing of theirs. */
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _keep: IKeep,
    private readonly _prefix: string
  ) {}

  /** Emitted with a room's name when something of it has changed. */
  get changed(): ISignal<this, string> {
    return this._changed;
  }

  /** Emitted with a message as the server has kept it. */
  get sent(): ISignal<this, ChatMessage> {
    return this._sent;
  }

  /** Send what was left when the page was closed. */
  restore(): void {
    readAll(this._keep, this._prefix).forEach(message =>
      this._messages.set(message.id, message)
    );
    new Set(this.all.map(({ room }) => room)).forEach(room => {
      this._changed.emit(room);
      this._next(room);
    });
  }

  /** All messages, oldest first. */
  get all(): IOutgoing[] {
    return [...this._messages.values()].sort((a, b) => a.time - b.time);
  }

  /** A room's messages, in the order in which they were written. */
  of(room: string): IOutgoing[] {
    return this.all.filter(message => message.room === room);
  }

  /** Send a message, now or as soon as it can be. At once it is in the outbox; gives its id. */
  add(draft: IDraft): string {
    if (this._messages.size >= MAX_OUTGOING) {
      throw HubError.of('too_big', 'Too many messages wait to be sent.');
    }
    const id = UUID.uuid4();
    const last = this.all[this._messages.size - 1]?.time ?? 0;
    const time = Math.max(Date.now(), last + 1);
    this._set({ ...draft, id, time, state: 'waiting', error: null });
    this._next(draft.room);
    return id;
  }

  /** Try one that has failed again. */
  retry(id: string): void {
    const message = this._messages.get(id);
    if (message?.state === 'failed') {
      this._set({ ...message, state: 'waiting', error: null });
      this._next(message.room);
    }
  }

  /** It stands in the room, or is not to be sent any more. */
  remove(id: string): void {
    const message = this._messages.get(id);
    if (message) {
      if (this._first(message.room)?.id === id) {
        // What follows it has not to wait for its time.
        clearTimeout(this._timers.get(message.room));
        this._timers.delete(message.room);
      }
      this._messages.delete(id);
      this._pauses.delete(id);
      this._keep.removeItem(this._prefix + id);
      this._changed.emit(message.room);
      this._next(message.room);
    }
  }

  /** Stop; what has not been sent stays in the storage. */
  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
    this._timers.forEach(timer => clearTimeout(timer));
  }

  /** The room's next message, or the one that is on its way. */
  private _first(room: string): IOutgoing | undefined {
    return this.of(room).find(({ state }) => state !== 'failed');
  }

  /** Send the room's next message unless one is on its way, or waits for its time. */
  private _next(room: string): void {
    const first = this._first(room);
    if (
      !this._disposed &&
      first?.state === 'waiting' &&
      !this._timers.has(room)
    ) {
      void this._send({ ...first, state: 'sending' });
    }
  }

  private async _send(message: IOutgoing): Promise<void> {
    this._set(message);
    const { room, text, id, replyTo, attachments, ask } = message;
    const more = { attachments: [...attachments], ask: [...ask] };
    const params = { room, text, id, reply_to: replyTo, ...more };
    try {
      const sent = await this._connections.request('chat.post', params);
      if (!this._disposed) {
        this._sent.emit(sent);
        this.remove(id);
      }
    } catch (error) {
      if (!this._disposed && this._messages.has(id)) {
        this._failed(message, error);
      }
    }
  }

  private _failed(message: IOutgoing, error: unknown): void {
    const words = error instanceof Error ? error.message : String(error);
    if (error instanceof HubError && error.retryable) {
      const pause = this._pauses.get(message.id) ?? FIRST_PAUSE_MS;
      this._pauses.set(message.id, Math.min(pause * 2, LONGEST_PAUSE_MS));
      const { room } = message;
      this._timers.set(
        room,
        setTimeout(() => {
          this._timers.delete(room);
          this._next(room);
        }, error.retryAfterMs ?? pause)
      );
      this._set({ ...message, state: 'waiting', error: words });
    } else {
      this._set({ ...message, state: 'failed', error: words });
      this._next(message.room);
    }
  }

  private _set(message: IOutgoing): void {
    this._messages.set(message.id, message);
    const key = this._prefix + message.id;
    try {
      this._keep.setItem(key, JSON.stringify(message));
    } catch (error) {
      // The storage is full or forbidden: it is sent all the same, only a reload would lose it.
      console.warn('A chat message could not be kept over a reload.', error);
    }
    this._changed.emit(message.room);
  }

  private readonly _messages = new Map<string, IOutgoing>();
  private readonly _pauses = new Map<string, number>();
  private readonly _timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly _changed = new Signal<this, string>(this);
  private readonly _sent = new Signal<this, ChatMessage>(this);
  private _disposed = false;
}

/** What is kept under a prefix. What was on its way waits again; what cannot be read is let go. */
function readAll(keep: IKeep, prefix: string): IOutgoing[] {
  const keys: string[] = [];
  for (let i = 0; i < keep.length; i++) {
    const key = keep.key(i);
    if (key?.startsWith(prefix)) {
      keys.push(key);
    }
  }
  return keys.flatMap(key => {
    try {
      const message = JSON.parse(keep.getItem(key) ?? '') as IOutgoing;
      const failed = message.state === 'failed';
      return [{ ...message, state: failed ? 'failed' : 'waiting' } as const];
    } catch (error) {
      console.warn('A kept chat message cannot be read.', error);
      keep.removeItem(key);
      return [];
    }
  });
}
