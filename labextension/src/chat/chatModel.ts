/**
 * All of chat in this window: the rooms, the one that is open, what waits to be sent, and what is shown of it.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Author, ChatMessage } from '../protocol/generated';
import {
  IConnectionManager,
  IConnectionStatus,
  ConnectionState
} from '../tokens';
import { AssistantList } from './assistants';
import { Composer, IDraft } from './composer';
import { IKeep, Outbox } from './outbox';
import { RoomPresence } from './presence';
import { RoomModel } from './roomModel';
import { Rooms } from './rooms';
import { SearchModel } from './searchModel';
import { titleOf } from './words';

/** What the sidebar shows. */
export type ChatView = 'rooms' | 'room' | 'search';

/** A room that is open, with what is written in it. */
export interface IOpenRoom {
  readonly model: RoomModel;
  readonly composer: Composer;
  readonly presence: RoomPresence;
}

export interface IChatOptions {
  connections: IConnectionManager;
  /** The user, as the server knows them. */
  me: Author;
  keep: IKeep;
  /** Names the server, so that two on one host keep nothing of each other. */
  server: string;
  /** The room that is shown first. */
  room: string;
  /** Is told what went wrong with something that the user wanted. */
  onError: (error: Error) => void;
  /** Is told the title of a room that was open and is not the user's any more, though they did not leave it. */
  onGone: (title: string) => void;
}

export class ChatModel implements IDisposable {
  constructor(private readonly _options: IChatOptions) {
    const { connections, keep, me, server } = _options;
    const prefix = `jupyter-ws-hub:chat:${JSON.stringify([server, me.username])}:`;
    this.outbox = new Outbox(connections, keep, `${prefix}outbox:`);
    this.assistants = new AssistantList(connections, keep, `${prefix}ask:`);
    this.rooms = new Rooms(connections, () => me.username);
    this.search = new SearchModel(
      connections,
      () => this._open?.model.room ?? ''
    );
    this.rooms.changed.connect(this._onRooms, this);
    connections.statusChanged.connect(this._onStatus, this);
    this.outbox.restore();
  }

  readonly outbox: Outbox;
  readonly assistants: AssistantList;
  readonly rooms: Rooms;
  readonly search: SearchModel;

  /** Emitted when another view or room is shown, or the connection's state has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get connections(): IConnectionManager {
    return this._options.connections;
  }

  get me(): Author {
    return this._options.me;
  }

  get view(): ChatView {
    return this._view;
  }

  /** The room that is open; null until the chat is shown for the first time. */
  get open(): IOpenRoom | null {
    return this._open;
  }

  /** How the connection for messages is. */
  get connection(): ConnectionState {
    return this.connections.getConnectionStatus('main').state;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether the user may change a room and others' messages in it. */
  isModerator(room: string): boolean {
    return this.rooms.get(room)?.moderator ?? false;
  }

  /** Whether they may change a message, or end an answer. */
  mayChange({ author, answer, room }: ChatMessage): boolean {
    const { username } = this.me;
    return (
      this.isModerator(room) ||
      author.username === username ||
      answer?.asked_by === username
    );
  }

  show(view: ChatView): void {
    this._view = view;
    this._showPresence();
    this._changed.emit();
  }

  /** Show a room: at its newest message, or at another one. */
  enter(room: string, seq: number | null = null): void {
    const isInView = this._view === 'room' && this._open?.model.room === room;
    const { place } = this._enter(room).model;
    if (seq === null) {
      place.toNewest();
    } else {
      void place.goTo(seq, !isInView);
    }
    this.show('room');
  }

  /** Open the room of the settings, so that it is there when the user wants to see it. */
  prepare(): void {
    if (!this._open) {
      this.enter(this._options.room);
    }
  }

  /** Whether the user can see the sidebar. */
  setVisible(visible: boolean): void {
    this._visible = visible;
    if (visible && this._view === 'room') {
      this.prepare();
    }
    this._showPresence();
    this._changed.emit();
  }

  /** The user has seen the room that is open up to a message. */
  seen(seq: number): void {
    if (this._open && this._visible && this._view === 'room') {
      this._open.model.markRead(seq);
      this.rooms.seen(this._open.model.room, seq);
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._close();
      this.connections.statusChanged.disconnect(this._onStatus, this);
      const { rooms, assistants, outbox, search } = this;
      [rooms, assistants, outbox, search].forEach(part => part.dispose());
      Signal.clearData(this);
    }
  }

  private _enter(room: string): IOpenRoom {
    if (this._open?.model.room !== room) {
      this._close();
      const { connections, onError } = this._options;
      const model = new RoomModel(connections, this.outbox, room, onError);
      const presence = new RoomPresence(connections, room);
      const { outbox, assistants } = this;
      const draft = this._drafts.get(room);
      const composer = new Composer(model, outbox, assistants, onError, draft);
      this._open = { model, composer, presence };
    }
    return this._open;
  }

  private _close(): void {
    if (this._open) {
      this._drafts.set(this._open.model.room, this._open.composer.draft);
    }
    this._open?.model.dispose();
    this._open?.presence.dispose();
    this._open = null;
  }

  private _showPresence(): void {
    this._open?.presence.setVisible(this._visible && this._view === 'room');
  }

  /** The room that is open may have been removed, or the user let out of it. */
  private _onRooms(): void {
    const name = this._open?.model.room ?? '';
    const title = this._titles.get(name);
    this._titles = new Map(
      this.rooms.rooms.map(({ room }) => [room.name, titleOf(room)])
    );
    if (title !== undefined && !this._titles.has(name)) {
      this._close();
      this._drafts.delete(name);
      this.show(this._view === 'room' ? 'rooms' : this._view);
      if (!this.rooms.isLeft(name)) {
        this._options.onGone(title);
      }
    }
  }

  private _onStatus(_: IConnectionManager, status: IConnectionStatus): void {
    if (status.service === 'main') {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _drafts = new Map<string, IDraft>();
  private _titles: ReadonlyMap<string, string> = new Map();
  private _open: IOpenRoom | null = null;
  private _view: ChatView = 'room';
  private _visible = false;
  private _disposed = false;
}
