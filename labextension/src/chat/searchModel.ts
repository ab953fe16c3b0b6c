/**
 * A search in messages: its words and what was found, which are there as well when one comes back from a message.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { FoundMessage } from '../protocol/generated';
import { IConnectionManager } from '../tokens';
import { IFound, search } from './transcripts';

/** For how long nobody has typed when a search begins. */
export const PAUSE_MS = 250;

export class SearchModel implements IDisposable {
  /** `roomOf` names the room that is open; "" if none is. */
  constructor(
    private readonly _connections: IConnectionManager,
    private readonly _roomOf: () => string
  ) {}

  /** Emitted when anything of it has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What is looked for. */
  get text(): string {
    return this._text;
  }

  set text(text: string) {
    this._text = text;
    this._soon();
  }

  /** Whether it is looked for only in the room that is open. */
  get here(): boolean {
    return this._here;
  }

  set here(here: boolean) {
    this._here = here;
    this._soon();
  }

  /** What was found so far; null before the first search. */
  get found(): IFound | null {
    return this._found;
  }

  /** Why it could not be searched, for a person; null if it could. */
  get error(): string | null {
    return this._error;
  }

  /** The hit from which one has gone to its message; null if none of these. */
  get visited(): FoundMessage | null {
    return this._visited;
  }

  get isDisposed(): boolean {
    return this._abort === null;
  }

  visit(hit: FoundMessage): void {
    this._visited = hit;
  }

  /** It is looked at (again): what is looked for in the open room is looked for in the one that is open now. */
  shown(): void {
    if (this._here && this._room !== this._roomOf()) {
      this._soon();
    }
  }

  /** Find more of the same; does nothing while that is under way. */
  async more(): Promise<void> {
    const { _found: found } = this;
    if (found?.more && !this._isBusy) {
      this._isBusy = true;
      await this._look(found);
      this._isBusy = false;
    }
  }

  dispose(): void {
    clearTimeout(this._timer ?? undefined);
    this._abort?.abort();
    this._abort = null;
    Signal.clearData(this);
  }

  /** Search when nobody has typed for a moment; until then what was found before stays. */
  private _soon(): void {
    if (!this._abort) {
      return;
    }
    this._abort.abort();
    this._abort = new AbortController();
    this._room = this._here ? this._roomOf() : '';
    clearTimeout(this._timer ?? undefined);
    this._timer = setTimeout(() => void this._look(null), PAUSE_MS);
    this._changed.emit();
  }

  /** Search, from the beginning or for what follows on what was found. */
  private async _look(before: IFound | null): Promise<void> {
    const signal = this._abort?.signal;
    const { _connections, _text, _room } = this;
    const hits = before?.hits ?? [];
    try {
      const skip = hits.length;
      const next = await search(_connections, _text, _room, skip, signal);
      if (!signal?.aborted) {
        this._found = { ...next, hits: [...hits, ...next.hits] };
        this._visited = before && this._visited;
        this._error = null;
      }
    } catch (error) {
      if (!signal?.aborted) {
        this._error = (error as Error).message;
      }
    }
    if (!signal?.aborted) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _text = '';
  private _here = false;
  /** Where it is searched; "" for all rooms. */
  private _room = '';
  private _found: IFound | null = null;
  private _error: string | null = null;
  private _visited: FoundMessage | null = null;
  private _isBusy = false;
  private _abort: AbortController | null = new AbortController();
  private _timer: ReturnType<typeof setTimeout> | null = null;
}
