/**
 * Who is in a room, and who types; and telling the server the same of this user.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Presence, PresenceParams } from '../protocol/generated';
import { IConnectionManager } from '../tokens';

/** The server forgets who has not said for longer that they are here, or type. */
const AGAIN_MS = { here: 20_000, typing: 5500, gone: 20_000 };
const STOPPED_TYPING_MS = 5000;

type State = NonNullable<PresenceParams['state']>;

export class RoomPresence implements IDisposable {
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _room: string
  ) {
    const topic: `presence/${string}` = `presence/${_room}`;
    this._subscription = _connections.subscribe(topic, {
      onEvent: ({ data }) => this._take([data]),
      onSnapshot: values => {
        this._people.clear();
        this._take((values ?? []).map(({ data }) => data as Presence));
      },
      // Who is there is nice to know; the room itself says why it cannot be read.
      onError: error => console.warn('Who is in the room is unknown.', error)
    });
  }

  /** Emitted when somebody comes, goes or types. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Who is there, by name. */
  get people(): Presence[] {
    return [...this._people.values()].sort((a, b) =>
      nameOf(a).localeCompare(nameOf(b))
    );
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether the user can see the room now. */
  setVisible(visible: boolean): void {
    if (visible !== this._visible && !this._disposed) {
      this._visible = visible;
      this._state = 'here';
      clearTimeout(this._typingTimer ?? undefined);
      this._tell(visible ? 'here' : 'gone');
    }
  }

  /** The user has changed what they write; `empty` if nothing is left of it. */
  typed(empty: boolean): void {
    if (!this._visible || this._disposed) {
      return;
    }
    clearTimeout(this._typingTimer ?? undefined);
    if (empty) {
      this._become('here');
    } else {
      this._become('typing');
      this._typingTimer = setTimeout(
        () => this._become('here'),
        STOPPED_TYPING_MS
      );
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this.setVisible(false);
      this._disposed = true;
      clearTimeout(this._timer ?? undefined);
      clearTimeout(this._typingTimer ?? undefined);
      this._subscription.dispose();
      Signal.clearData(this);
    }
  }

  private _become(state: State): void {
    if (state !== this._state) {
      this._state = state;
      this._tell(state);
    }
  }

  /** Tell the server, and again while the room is open. */
  private _tell(state: State): void {
    clearTimeout(this._timer ?? undefined);
    const params = { room: this._room, state };
    this._connections.request('chat.presence', params).then(
      ({ people }) => {
        if (!this._disposed && this._visible) {
          this._people.clear();
          this._take(people);
        }
      },
      // It is told again soon.
      error => console.debug('Being in the room could not be told.', error)
    );
    if (this._visible) {
      this._timer = setTimeout(() => this._tell(this._state), AGAIN_MS[state]);
    }
  }

  private _take(people: readonly Presence[]): void {
    for (const person of people) {
      if (person.gone) {
        this._people.delete(person.username);
      } else {
        this._people.set(person.username, person);
      }
    }
    this._changed.emit();
  }

  private readonly _subscription: IDisposable;
  private readonly _people = new Map<string, Presence>();
  private readonly _changed = new Signal<this, void>(this);
  private _visible = false;
  private _state: State = 'here';
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _typingTimer: ReturnType<typeof setTimeout> | null = null;
  private _disposed = false;
}

/** What a person is called. */
export function nameOf(person: {
  username: string;
  display_name: string;
}): string {
  return person.display_name || person.username;
}
