/**
 * What of a room is in view: it keeps the place in the list, has more read at its ends, says what was seen, and brings
 * the message that is to be looked at into view.
 */
import { IDisposable } from '@lumino/disposable';

import { ITarget } from './place';
import { RoomModel } from './roomModel';
import { ScrollKeeper } from './scroll';

/** Messages that are kept while nobody scrolls back. */
const KEPT = 150;
/** For how long the message that was looked for is marked. */
export const MARKED_MS = 2000;

export interface IRoomScrollOptions {
  model: RoomModel;
  /** What the list is called. */
  label: () => string;
  /** What a message is called, for who listens instead of looking. */
  labelOf: (id: string) => string;
  /** The newest message was seen. */
  onSeen: (seq: number) => void;
  /** Whether the end of the list is in view has changed. */
  onEnd: (atEnd: boolean) => void;
}

export class RoomScroll implements IDisposable {
  /** The list is made within `holder` sooner or later, and may be made anew. */
  constructor(
    private readonly _holder: HTMLElement,
    private readonly _options: IRoomScrollOptions
  ) {
    this._added = new MutationObserver(() => this._watch());
    this._added.observe(_holder, { childList: true });
    _options.model.changed.connect(this._onChanged, this);
    document.addEventListener('visibilitychange', this._onVisible);
    this._watch();
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Go to the newest message, and let the keys scroll the list from there. */
  toNewest(): void {
    this._options.model.place.toNewest();
    this._node?.focus({ preventScroll: true });
  }

  /** The room may be in view now. */
  look(): void {
    const { model, onSeen } = this._options;
    if (model.isPast) {
      model.trim(KEPT);
    } else if (
      this._keeper?.atEnd &&
      !model.place.target &&
      document.visibilityState === 'visible'
    ) {
      onSeen(model.newest);
      model.trim(KEPT);
    }
  }

  dispose(): void {
    this._disposed = true;
    this._added.disconnect();
    this._options.model.changed.disconnect(this._onChanged, this);
    document.removeEventListener('visibilitychange', this._onVisible);
    clearTimeout(this._timer ?? undefined);
    this._keeper?.dispose();
  }

  private readonly _onVisible = (): void => this.look();

  private _watch(): void {
    const list = this._holder.querySelector<HTMLElement>(
      '.jp-chat-messages-container'
    );
    const node = list?.parentElement?.parentElement;
    if (list && node && !this._keeper?.keeps(list)) {
      const { model, label, onEnd } = this._options;
      this._keeper?.dispose();
      this._node = node;
      labelList(node, label());
      this._keeper = new ScrollKeeper(node, list, {
        onTop: () => void model.loadOlder(),
        onBottom: () => void model.place.loadNewer(),
        onEnd: atEnd => {
          onEnd(atEnd);
          this.look();
        }
      });
      this._onChanged();
    }
  }

  private _onChanged(): void {
    const { model } = this._options;
    const { target } = model.place;
    if (this._keeper) {
      this._keeper.isPast = model.isPast;
    }
    if (this._keeper && target) {
      this._aim(this._keeper, target);
    }
    this.look();
  }

  private _aim(keeper: ScrollKeeper, target: ITarget): void {
    const { id } = target;
    const { place } = this._options.model;
    if (id === null) {
      place.reached(target);
      keeper.toEnd();
      return;
    }
    keeper.reveal(
      () => this._messageOf(id),
      message => {
        place.reached(target);
        this._mark(message as HTMLElement, id);
      }
    );
  }

  /** What is drawn of a message: the list's own nodes do not name it, but what is drawn below its text does. */
  private _messageOf(id: string): Element | null {
    const all = this._node?.querySelectorAll<HTMLElement>('[data-id]') ?? [];
    const below = [...all].find(({ dataset }) => dataset['id'] === id);
    return below?.closest('.jp-chat-message') ?? null;
  }

  /** Show which one it is, and give it the focus: for the keyboard, and for who listens. */
  private _mark(message: HTMLElement, id: string): void {
    this._unmark();
    this._marked = message;
    message.dataset['found'] = '';
    this._timer = setTimeout(() => this._unmark(), MARKED_MS);
    message.tabIndex = -1;
    message.setAttribute('role', 'article');
    message.setAttribute('aria-label', this._options.labelOf(id));
    message.addEventListener('blur', leave);
    message.focus({ preventScroll: true });
  }

  private _unmark(): void {
    clearTimeout(this._timer ?? undefined);
    delete this._marked?.dataset['found'];
    this._marked = null;
  }

  private readonly _added: MutationObserver;
  private _keeper: ScrollKeeper | null = null;
  private _node: HTMLElement | null = null;
  private _marked: HTMLElement | null = null;
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _disposed = false;
}

/** The list can be scrolled with the keyboard, and has a name. What is new in it is read out by the live region. */
function labelList(node: HTMLElement, label: string): void {
  node.tabIndex = 0;
  node.setAttribute('role', 'log');
  node.setAttribute('aria-live', 'off');
  node.setAttribute('aria-label', label);
}

/** A message that has had the focus is like all others. */
function leave({ currentTarget }: FocusEvent): void {
  const message = currentTarget as HTMLElement;
  // Where the whole window has lost the focus, the message has it still.
  if (document.activeElement !== message) {
    ['tabindex', 'role', 'aria-label'].forEach(name =>
      message.removeAttribute(name)
    );
    message.removeEventListener('blur', leave);
  }
}
