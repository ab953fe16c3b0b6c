/**
 * The rooms that the user may read, and how much in each they have not read.
 *
 * Each room's topic is followed for what is new in it; the rest is read again when the server says that rooms changed.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { ChatMessage, Room, RoomState } from '../protocol/generated';
import { IConnectionManager, TopicEvent } from '../tokens';
import { RoomTopic } from './roomModel';

const GATHER_MS = 100;
/** Rooms whose topics are followed; of others the counts are those of the last time they were listed. */
export const MAX_FOLLOWED = 50;

export class Rooms implements IDisposable {
  /** `username` is who reads. */
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _username: () => string
  ) {
    const refresh = () => this._soon();
    this._subscriptions = [
      _connections.subscribe('rooms', {
        onEvent: refresh,
        onSnapshot: refresh,
        onLive: refresh,
        onError: error => this._fail(error)
      }),
      _connections.subscribe('rooms/me', {
        onEvent: ({ data }) => this._onRead(data.room, data.seq),
        onError: error => this._fail(error)
      })
    ];
  }

  /** Emitted when rooms or counts have changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** All rooms, archived ones last. */
  get rooms(): readonly RoomState[] {
    return this._rooms;
  }

  /** Whether they have been listed. */
  get isReady(): boolean {
    return this._ready;
  }

  /** Why they cannot be listed, for a person; null if they can. */
  get error(): string | null {
    return this._error;
  }

  get(name: string): RoomState | undefined {
    return this._rooms.find(({ room }) => room.name === name);
  }

  /** How many messages of a room were not read. */
  unread({ newest, read, room }: RoomState): number {
    return room.archived ? 0 : Math.max(0, newest - read);
  }

  /** How many messages of all rooms were not read. */
  get total(): number {
    return this._rooms.reduce((sum, state) => sum + this.unread(state), 0);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The user has seen a room up to a message; the server is told by who shows it. */
  seen(name: string, seq: number): void {
    this._onRead(name, seq);
  }

  /** Whether the user is leaving a room, or deleting it, in this window. */
  isLeft(name: string): boolean {
    return this._left.has(name);
  }

  /** Make a room; gives its name. Like all that follows it raises what the server says against it. */
  async create(
    title: string,
    isPrivate: boolean,
    members: string[]
  ): Promise<string> {
    const name = roomName(title, new Set(this._rooms.map(r => r.room.name)));
    const params = { name, title, private: isPrivate, members };
    const made = await this._do(
      this._connections.request('chat.create', params)
    );
    return made.name;
  }

  async rename(room: string, title: string): Promise<void> {
    await this._do(this._connections.request('chat.rename', { room, title }));
  }

  async members(room: string, add: string[], remove: string[]): Promise<void> {
    const params = { room, add, remove };
    const request = this._connections.request('chat.members', params);
    await (remove.includes(this._username())
      ? this._leave(room, request)
      : this._do(request));
  }

  async archive(room: string, archived: boolean): Promise<void> {
    const params = { room, archived };
    await this._do(this._connections.request('chat.archive', params));
  }

  async remove(room: string): Promise<void> {
    const request = this._connections.request('chat.remove', { room });
    await this._leave(room, request);
  }

  /** List the rooms now. */
  async refresh(): Promise<void> {
    try {
      const params = { archived: true };
      const { rooms } = await this._connections.request('chat.rooms', params);
      if (!this._disposed) {
        this._take(rooms);
      }
    } catch (error) {
      this._fail(error as Error);
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer ?? undefined);
      this._subscriptions.forEach(subscription => subscription.dispose());
      this._followed.forEach(subscription => subscription.dispose());
      Signal.clearData(this);
    }
  }

  private _soon(): void {
    this._timer ??= setTimeout(() => {
      this._timer = null;
      void this.refresh();
    }, GATHER_MS);
  }

  /** What is known of a room here may be newer than a list that was under way. */
  private _take(rooms: RoomState[]): void {
    const merged = rooms.map(state => {
      const known = this.get(state.room.name);
      const same = known?.room.created === state.room.created;
      return known && same
        ? {
            ...state,
            newest: Math.max(state.newest, known.newest),
            read: Math.max(state.read, known.read)
          }
        : state;
    });
    const order = ({ archived }: Room) => Number(archived);
    this._rooms = merged.sort((a, b) => order(a.room) - order(b.room));
    this._ready = true;
    this._error = null;
    this._follow(rooms.map(({ room }) => room.name).slice(0, MAX_FOLLOWED));
    this._changed.emit();
  }

  private _follow(names: readonly string[]): void {
    for (const [name, subscription] of this._followed) {
      if (!names.includes(name)) {
        subscription.dispose();
        this._followed.delete(name);
      }
    }
    for (const name of names) {
      if (!this._followed.has(name)) {
        const topic: RoomTopic = `chat/${name}`;
        const subscription = this._connections.subscribe(topic, {
          onEvent: event => this._onEvent(name, event),
          onSnapshot: history => history?.messages.forEach(m => this._said(m)),
          // It was removed, or the user may not read it any more: the list says so.
          onError: () => this._soon()
        });
        this._followed.set(name, subscription);
      }
    }
  }

  private _onEvent(name: string, event: TopicEvent<RoomTopic>): void {
    if (event.kind === 'message') {
      this._said(event.data);
    } else if (event.kind === 'message.started') {
      this._said(event.data.message);
    }
  }

  /** Somebody has said something. What the user says themselves they have read. */
  private _said({ room, seq, author }: ChatMessage): void {
    const state = this.get(room);
    if (state && seq > state.newest) {
      const own = author.username === this._username();
      const read =
        own && state.read === state.newest && seq === state.newest + 1
          ? seq
          : state.read;
      this._replace({ ...state, newest: seq, read });
    }
  }

  private _onRead(name: string, seq: number): void {
    const state = this.get(name);
    if (state && seq > state.read) {
      this._replace({ ...state, read: seq });
    }
  }

  private _replace(state: RoomState): void {
    this._rooms = this._rooms.map(other =>
      other.room.name === state.room.name ? state : other
    );
    this._changed.emit();
  }

  private async _do<T>(done: Promise<T>): Promise<T> {
    const result = await done;
    await this.refresh();
    return result;
  }

  /** That the room is gone may be told before that it was removed. */
  private async _leave(room: string, done: Promise<unknown>): Promise<void> {
    this._left.add(room);
    try {
      await this._do(done);
    } finally {
      this._left.delete(room);
    }
  }

  private _fail(error: Error): void {
    if (!this._disposed) {
      this._error = error.message;
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _subscriptions: readonly IDisposable[];
  private readonly _left = new Set<string>();
  private readonly _followed = new Map<string, IDisposable>();
  private _rooms: readonly RoomState[] = [];
  private _ready = false;
  private _error: string | null = null;
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _disposed = false;
}

const LONGEST_NAME = 50;

/** A room's name for ever, out of its first title: lower-case letters, digits and hyphens, and not one that is taken. */
export function roomName(title: string, taken: ReadonlySet<string>): string {
  const plain = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, LONGEST_NAME);
  const base = plain === '' || RESERVED.has(plain) ? `room-${plain}` : plain;
  const first = base.replace(/-+$/, '');
  for (let n = 1; ; n++) {
    const name = n === 1 ? first : `${first}-${n}`;
    if (!taken.has(name)) {
      return name;
    }
  }
}

/** Names that the server gives to no room. */
const RESERVED: ReadonlySet<string> = new Set(['me', 'all', 'rooms']);
