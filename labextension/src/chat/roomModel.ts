/**
 * One room: its messages as they are now, and what can be done with them. It knows nothing of how they are shown.
 *
 * The topic is followed from now on, and the newest page is read; older pages on demand, or a stretch of the past
 * instead (`place`). What comes twice, or in another order, is the same room.
 */
import { UUID } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { HubError } from '../protocol/errors';
import {
  Asked,
  ChatMessage,
  History,
  MessageDelta
} from '../protocol/generated';
import { IConnectionManager, TopicEvent } from '../tokens';
import { MessageStore } from './messageStore';
import { IOutgoing, Outbox } from './outbox';
import { Place } from './place';

/** The topic under which a room's messages are announced. */
export type RoomTopic = `chat/${string}`;

export const PAGE = 50;
const READ_PAUSE_MS = 300;
const RETRY_MS = 3000;

export class RoomModel implements IDisposable {
  /** `onError` is told what went wrong with something that the user wanted. */
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _outbox: Outbox,
    readonly room: string,
    private readonly _onError: (error: Error) => void
  ) {
    this.place = new Place({
      ...{ connections: _connections, room, newest: this._store },
      isReady: () => this._ready,
      onJoin: hasOlder => (this._more = hasOlder),
      onChange: () => this._changed.emit(),
      onError: error => this._report(error)
    });
    _outbox.changed.connect(this._onOutbox, this);
    _outbox.sent.connect(this._onSent, this);
    const topic: RoomTopic = `chat/${room}`;
    this._subscription = _connections.subscribe(
      topic,
      {
        onEvent: event => this._onEvent(event),
        onSnapshot: snapshot => this._onReset(snapshot),
        onLive: () => void this._load(),
        onError: error => this._fail(error)
      },
      'latest'
    );
  }

  /** Where one is in the room: at its newest messages, unless one has gone into its past. */
  readonly place: Place;

  /** Emitted when the list, or anything but the growing text of an answer, has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted with the id of an answer whose text has grown. */
  get streamed(): ISignal<this, string> {
    return this._streamed;
  }

  /** Emitted with each message that was said, or answer that is complete, while the room was open. */
  get said(): ISignal<this, ChatMessage> {
    return this._said;
  }

  /** Messages that the server has, oldest first: the newest ones, or those of the past that is looked at. */
  get messages(): readonly ChatMessage[] {
    return (this.place.past ?? this._store).messages;
  }

  /** This user's messages that are on their way, and that could not be sent; they are not in the past. */
  get outgoing(): IOutgoing[] {
    const { _store, _outbox } = this;
    return this.isPast
      ? []
      : _outbox.of(this.room).filter(({ id }) => !_store.get(id));
  }

  /** Whether a stretch of the past is shown instead of the newest messages. */
  get isPast(): boolean {
    return this.place.past !== null;
  }

  /** Whether what is to be shown is here. */
  get isReady(): boolean {
    return this.place.past?.isReady ?? this._ready;
  }

  /** Whether there are older messages. */
  get hasOlder(): boolean {
    return this.place.past?.hasOlder ?? this._more;
  }

  /** Why the room cannot be read, for a person; null if it can. */
  get error(): string | null {
    return this._error;
  }

  /** `seq` of the room's newest message. */
  get newest(): number {
    return this._store.newest;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  get(id: string): ChatMessage | undefined {
    return this.place.past?.get(id) ?? this._store.get(id);
  }

  /** Answers that are being written now, oldest first. */
  get writing(): ChatMessage[] {
    const { messages } = this._store;
    return messages.filter(({ answer }) => answer?.state === 'writing');
  }

  /** Read the page before the oldest message; does nothing while one is being read, or where there is none. */
  async loadOlder(): Promise<void> {
    if (this.isPast) {
      return this.place.loadOlder();
    }
    const before = this._store.oldest;
    if (this._loading || !this._more || before === null) {
      return;
    }
    this._loading = true;
    try {
      const page = { room: this.room, before, limit: PAGE };
      const older = await this._connections.request('chat.history', page);
      if (!this._disposed && this._store.oldest === before) {
        this._take(older);
      }
    } catch (error) {
      this._report(error);
    } finally {
      this._loading = false;
    }
  }

  /** Forget old ones of the newest messages that nobody looks at; they are read again when somebody does. */
  trim(count: number): void {
    if (this._store.trim(count)) {
      this._more = true;
      this._changed.emit();
    }
  }

  /** Change a message: only if it is as it was seen. False if it was not; it is here as it is now then. */
  async edit(message: ChatMessage, text: string): Promise<boolean> {
    const { id, version } = message;
    const params = { room: this.room, id, text, version };
    const edited = this._connections.request('chat.edit', params);
    const error = await this._change(edited);
    if (error instanceof HubError && error.code === 'conflict') {
      await this._fetch(id);
    }
    return error === null;
  }

  async delete(id: string): Promise<void> {
    const params = { room: this.room, id };
    await this._change(this._connections.request('chat.delete', params));
  }

  /** End an answer. */
  async stop(id: string): Promise<void> {
    const params = { room: this.room, id };
    await this._change(this._connections.request('assistants.stop', params));
  }

  /** Have a message answered (again). */
  async ask(message: string, ask: Asked): Promise<void> {
    const params = { room: this.room, message, id: UUID.uuid4(), ask };
    await this._change(this._connections.request('assistants.ask', params));
  }

  /** The messages up to this one were seen. The server is told soon, and never of less than before. */
  markRead(seq: number): void {
    if (seq <= this._read) {
      return;
    }
    this._read = seq;
    this._readTimer ??= setTimeout(() => {
      this._readTimer = null;
      const params = { room: this.room, seq: this._read };
      this._connections.request('chat.read', params).catch(error => {
        // It is told again with the next message that is seen.
        console.warn('How far a room was read could not be told.', error);
      });
    }, READ_PAUSE_MS);
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._subscription.dispose();
      this._outbox.changed.disconnect(this._onOutbox, this);
      this._outbox.sent.disconnect(this._onSent, this);
      this.place.dispose();
      clearTimeout(this._readTimer ?? undefined);
      clearTimeout(this._retryTimer ?? undefined);
      Signal.clearData(this);
    }
  }

  private _onEvent(event: TopicEvent<RoomTopic>): void {
    switch (event.kind) {
      case 'message':
        this._put(event.data);
        this._said.emit(event.data);
        break;
      case 'message.finished':
        this._put(event.data.message);
        this._said.emit(event.data.message);
        break;
      case 'message.started':
      case 'message.changed':
        this._put(event.data.message);
        break;
      case 'message.delta':
        this._onDelta(event.data);
        break;
    }
  }

  private _onDelta(delta: MessageDelta): void {
    const result = this.place.apply(delta) ?? this._store.apply(delta);
    if (result === 'applied') {
      this._streamed.emit(delta.message);
    } else if (result === 'gap' && this._ready) {
      void this._fetch(delta.message);
    } else if (result === 'gap') {
      // The page that is being read has the message, and more of it.
      this._missed.add(delta.message);
    }
  }

  /** Ask for a message of which something is missing. */
  private async _fetch(id: string): Promise<void> {
    try {
      const params = { room: this.room, id };
      this._put(await this._connections.request('chat.message', params));
    } catch (error) {
      console.warn('A chat message could not be read.', error);
    } finally {
      this._store.giveUp(id);
      this.place.past?.giveUp(id);
    }
  }

  /** After a gap in the topic: what was here stays until what is there now has come, so nothing flickers. */
  private _onReset(snapshot: History | null): void {
    this.place.missed();
    if (snapshot) {
      this._store.reset(snapshot.messages);
      this._more = snapshot.more;
      this._became();
    } else {
      this._fresh = true;
      this._ready = false;
    }
  }

  /** Read the newest page unless it is here. */
  private async _load(): Promise<void> {
    if (this._ready || this._loadingFirst || this._disposed) {
      return;
    }
    this._loadingFirst = true;
    try {
      const page = { room: this.room, limit: PAGE };
      const newest = await this._connections.request('chat.history', page);
      if (!this._disposed) {
        if (this._fresh) {
          this._fresh = false;
          this._store.reset([]);
        }
        this._take(newest);
        this._store.dropBefore(newest.messages[0]?.seq ?? 0);
        this._became();
      }
    } catch (error) {
      this._fail(error as Error);
      if (error instanceof HubError && error.retryable && !this._disposed) {
        this._retryTimer = setTimeout(
          () => void this._load(),
          error.retryAfterMs ?? RETRY_MS
        );
      }
    } finally {
      this._loadingFirst = false;
    }
  }

  /** The newest page is here. */
  private _became(): void {
    this._ready = true;
    this._error = null;
    const missed = [...this._missed].filter(id => !this._store.get(id));
    this._missed.clear();
    missed.forEach(id => void this._fetch(id));
    this._changed.emit();
    this.place.join();
  }

  private _take({ messages, more }: History): void {
    messages.forEach(message => this._store.put(message));
    this._more = more;
    this._changed.emit();
  }

  private _put(message: ChatMessage): void {
    if (this._disposed) {
      return;
    }
    // Standing in the room it is sent, whatever becomes of the answer to the request.
    this._outbox.remove(message.id);
    const { oldest } = this._store;
    const isOld = this._ready && oldest !== null && message.seq < oldest;
    const isNew = !isOld && this._store.put(message);
    if (this.place.put(message) || isNew) {
      this._changed.emit();
      this.place.join();
    }
  }

  /** Take a message as it has become; gives what went wrong, which is told. */
  private async _change(changed: Promise<ChatMessage>): Promise<unknown> {
    try {
      this._put(await changed);
      return null;
    } catch (error) {
      this._report(error);
      return error;
    }
  }

  private _report(error: unknown): void {
    if (!this._disposed) {
      this._onError(error as Error);
    }
  }

  private _fail(error: Error): void {
    this._error = error.message;
    this._changed.emit();
  }

  private _onOutbox(_: Outbox, room: string): void {
    if (room === this.room) {
      this._changed.emit();
    }
  }

  private _onSent(_: Outbox, message: ChatMessage): void {
    if (message.room === this.room) {
      this._put(message);
    }
  }

  private readonly _store = new MessageStore();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _streamed = new Signal<this, string>(this);
  private readonly _said = new Signal<this, ChatMessage>(this);
  private readonly _subscription: IDisposable;
  private readonly _missed = new Set<string>();
  private _ready = false;
  private _fresh = false;
  private _loading = false;
  private _loadingFirst = false;
  private _more = false;
  private _error: string | null = null;
  private _read = 0;
  private _readTimer: ReturnType<typeof setTimeout> | null = null;
  private _retryTimer: ReturnType<typeof setTimeout> | null = null;
  private _disposed = false;
}
