/**
 * Where one is in a room: at its newest messages, or at a stretch of its past; and which message is to be looked at.
 *
 * In the past the newest messages are kept up to date all the same, out of sight. A stretch that has reached them
 * becomes one with them.
 */
import { ChatMessage, MessageDelta } from '../protocol/generated';
import { IConnectionManager } from '../tokens';
import { DeltaResult, MessageStore } from './messageStore';
import { Past } from './past';

/** What is to be looked at next: a message, or with null whatever is the newest. */
export interface ITarget {
  readonly id: string | null;
}

export interface IPlaceOptions {
  connections: IConnectionManager;
  room: string;
  /** The room's newest messages. */
  newest: MessageStore;
  /** Whether they are here. */
  isReady: () => boolean;
  /** Is told when a stretch has become one with them, and whether there are older ones. */
  onJoin: (hasOlder: boolean) => void;
  /** Is told when something else is to be shown. */
  onChange: () => void;
  /** Is told what went wrong with something that the user wanted. */
  onError: (error: Error) => void;
}

export class Place {
  constructor(private readonly _options: IPlaceOptions) {}

  /** The stretch that is shown instead of the newest messages; null if these are. */
  get past(): Past | null {
    return this._past;
  }

  /** What is to be looked at, until it is said to be. */
  get target(): ITarget | null {
    return this._target;
  }

  /** What was to be looked at is in view. */
  reached(target: ITarget): void {
    if (this._target === target) {
      this._target = null;
    }
  }

  /** Look at a message. `fresh`: nothing of the room is in view, so that meanwhile nothing else is shown. */
  async goTo(seq: number, fresh = false): Promise<void> {
    this._leave();
    if (this._isHere(seq)) {
      return;
    }
    const { room, connections, onChange, onError } = this._options;
    const past = new Past(place =>
      connections.request('chat.history', { room, ...place })
    );
    this._going = past;
    if (fresh) {
      this._past = past;
      onChange();
    }
    try {
      const isThere = await past.open(seq);
      if (this._going === past) {
        this._arrive(isThere ? past : null, past.at(seq));
      }
    } catch (error) {
      if (this._going === past) {
        this._stay(past);
        onError(error as Error);
      }
    }
  }

  /** Look at a message of which the `seq` is not known. */
  async goToMessage(id: string): Promise<void> {
    const { room, connections, newest, onError } = this._options;
    const turn = this._leave();
    const known = this._past?.get(id) ?? newest.get(id);
    try {
      const { seq } =
        known ?? (await connections.request('chat.message', { room, id }));
      if (turn === this._turn) {
        await this.goTo(seq);
      }
    } catch (error) {
      if (turn === this._turn) {
        onError(error as Error);
      }
    }
  }

  /** Look at the newest message. */
  toNewest(): void {
    this._leave();
    this._past = null;
    this._aim(null);
  }

  /** In the past: read what is before the stretch. */
  loadOlder(): Promise<void> {
    return this._load(past => past.loadOlder());
  }

  /** In the past: read what is after it; nothing elsewhere. */
  loadNewer(): Promise<void> {
    return this._load(past => past.loadNewer());
  }

  /** Take a state of a message; true if what is shown of the past is other than it was. */
  put(message: ChatMessage): boolean {
    if (this._going !== this._past) {
      this._going?.put(message);
    }
    return this._past?.put(message) ?? false;
  }

  /** Take a piece of an answer; null if the answer is not in the past that is shown. */
  apply(delta: MessageDelta): DeltaResult | null {
    return this._past?.apply(delta) ?? null;
  }

  /** Something may have been missed: the place stays, and what is there is read again. */
  missed(): void {
    void this._going?.refresh();
    void this._load(past => past.refresh());
  }

  /** Where the stretch has reached the newest messages, all is one again. */
  join(): void {
    const { _past: past } = this;
    const { newest, isReady, onJoin, onChange } = this._options;
    const [first] = past?.messages ?? [];
    if (!past || !first || !isReady()) {
      return;
    }
    const isAfter = first.seq > newest.newest + 1;
    if (past.newest + 1 >= (newest.oldest ?? 0) && !isAfter) {
      this._past = null;
      past.messages.forEach(message => newest.put(message));
      onJoin(past.hasOlder);
      onChange();
    }
  }

  dispose(): void {
    this._leave();
    this._past = null;
    this._target = null;
  }

  /** Go nowhere else any more; gives the number of what is done instead. */
  private _leave(): number {
    this._going = null;
    this._turn += 1;
    return this._turn;
  }

  /** It could not be read: what was shown stays. */
  private _stay(past: Past): void {
    this._going = null;
    if (this._past === past) {
      this._past = null;
      this._options.onChange();
    }
  }

  /** Whether a message is in view, or among the newest ones; then it is to be looked at. */
  private _isHere(seq: number): boolean {
    const isIt = (message: ChatMessage) => message.seq === seq;
    const shown = this._past?.messages.find(isIt);
    const { newest: store, isReady } = this._options;
    const newest = isReady() ? store.messages.find(isIt) : undefined;
    if (!shown && newest) {
      this._past = null;
    }
    const found = shown ?? newest;
    if (found) {
      this._aim(found.id);
    }
    return found !== undefined;
  }

  private _arrive(past: Past | null, message?: ChatMessage): void {
    this._going = null;
    this._past = past;
    this._aim(message?.id ?? null);
    this.join();
  }

  private _aim(id: string | null): void {
    this._target = { id };
    this._options.onChange();
  }

  private async _load(load: (past: Past) => Promise<boolean>): Promise<void> {
    const { _past: past } = this;
    if (!past?.isReady) {
      return;
    }
    try {
      const isNew = await load(past);
      if (this._past === past) {
        this._loaded(past, isNew);
      }
    } catch (error) {
      if (this._past === past) {
        this._options.onError(error as Error);
      }
    }
  }

  private _loaded(past: Past, isNew: boolean): void {
    if (!past.isReady) {
      // Nothing of it is left.
      this.toNewest();
      return;
    }
    if (isNew) {
      this._options.onChange();
    }
    this.join();
  }

  private _past: Past | null = null;
  private _going: Past | null = null;
  private _target: ITarget | null = null;
  private _turn = 0;
}
