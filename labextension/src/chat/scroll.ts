/**
 * Where a list of messages is scrolled to. At its end it stays there as it grows; anywhere else what is read stays in
 * place, whatever comes above, below or in between. A list of the past has no end that it stays at: more is wanted there.
 */
import { IDisposable } from '@lumino/disposable';

/** Pixels from the end that still are the end. */
const END_PX = 24;
/** Pixels from the top at which older messages are wanted. */
const TOP_PX = 300;
/** Pixels from the end of a list of the past at which newer ones are wanted. */
const BOTTOM_PX = 300;
/** For how long a message that was brought into the middle is kept there while what is around it is drawn. */
const SETTLE_MS = 3000;

/** What a person does to scroll, and for how long after it scrolling is theirs. */
const TOUCHES = ['wheel', 'touchmove', 'keydown', 'pointerdown'] as const;
const TOUCHED_MS = 1000;

export interface IScrollEvents {
  /** Older messages are wanted. */
  onTop(): void;
  /** In the past: newer ones are wanted. */
  onBottom(): void;
  /** Whether the end is in view has changed. */
  onEnd(atEnd: boolean): void;
}

/** What stays in place: the distance of its top from the view's, or null while it is kept in the middle. */
interface IAnchor {
  readonly message: Element;
  readonly offset: number | null;
}

/** A message that is to be in the middle. */
interface IWanted {
  find(): Element | null;
  onFound(message: Element): void;
}

export class ScrollKeeper implements IDisposable {
  /** `node` is what scrolls, `list` holds the messages. */
  constructor(
    private readonly _node: HTMLElement,
    private readonly _list: HTMLElement,
    private readonly _events: IScrollEvents
  ) {
    this._sizes = new ResizeObserver(() => this._keep());
    this._sizes.observe(_list);
    this._sizes.observe(_node);
    this._children = new MutationObserver(() => this._keep());
    this._children.observe(_list, { childList: true });
    _node.addEventListener('scroll', this._onScroll, { passive: true });
    TOUCHES.forEach(type =>
      _node.addEventListener(type, this._onTouch, { passive: true })
    );
    window.addEventListener('pointerup', this._onTouch);
    this._keep();
  }

  /** Whether the newest message is in view. */
  get atEnd(): boolean {
    return this._atEnd;
  }

  /** Whether it keeps the place in this list. */
  keeps(list: HTMLElement): boolean {
    return list === this._list;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether the list is a part of the past. */
  get isPast(): boolean {
    return this._isPast;
  }

  set isPast(isPast: boolean) {
    this._isPast = isPast;
    if (isPast && this._atEnd) {
      this._setAtEnd(false);
      this._anchor = this._findAnchor();
    }
  }

  /** Go to the newest message, and stay there. */
  toEnd(): void {
    this._wanted = null;
    // What a person did before has not scrolled what comes now.
    this._touched = -Infinity;
    this._held = false;
    this._setAtEnd(true);
    this._keep();
  }

  /** Bring a message into the middle, as soon as it is in the list. */
  reveal(find: IWanted['find'], onFound: IWanted['onFound']): void {
    this._wanted = { find, onFound };
    this._keep();
  }

  dispose(): void {
    this._disposed = true;
    this._sizes.disconnect();
    this._children.disconnect();
    this._node.removeEventListener('scroll', this._onScroll);
    TOUCHES.forEach(type =>
      this._node.removeEventListener(type, this._onTouch)
    );
    window.removeEventListener('pointerup', this._onTouch);
  }

  private readonly _onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = this._node;
    const moved = scrollTop - this._top;
    this._top = scrollTop;
    if (moved < -1 && this._atEnd && !this._isReader()) {
      // The list has become shorter, or somebody else has scrolled: only a reader leaves the end.
      this._keep();
    } else if (Math.abs(moved) > 1 && !this._isSettling()) {
      const rest = scrollHeight - clientHeight - scrollTop;
      this._setAtEnd(!this._isPast && moved > 0 && rest <= END_PX);
      this._anchor = this._atEnd ? null : this._findAnchor();
    }
    if (this._isPast) {
      this._askMore();
    } else if (scrollTop < TOP_PX && moved < 0) {
      // A list that is being drawn is short at first: only who goes up wants more.
      this._events.onTop();
    }
  };

  /** More of the past is wanted near its ends, also where the list is too short to be scrolled. */
  private _askMore(): void {
    const { scrollTop, scrollHeight, clientHeight } = this._node;
    if (!this._isPast || this._wanted) {
      return;
    }
    if (scrollTop < TOP_PX) {
      this._events.onTop();
    }
    if (scrollHeight - clientHeight - scrollTop < BOTTOM_PX) {
      this._events.onBottom();
    }
  }

  /** Whether a message is kept in the middle; whoever scrolls ends that. */
  private _isSettling(): boolean {
    const since = performance.now() - this._revealed;
    return (
      this._anchor?.offset === null &&
      since < SETTLE_MS &&
      this._touched <= this._revealed
    );
  }

  /** Whether a person may have scrolled just now. */
  private _isReader(): boolean {
    return this._held || performance.now() - this._touched < TOUCHED_MS;
  }

  private readonly _onTouch = ({ type }: Event): void => {
    if (type === 'pointerup' && !this._held) {
      // It was pressed elsewhere.
      return;
    }
    this._touched = performance.now();
    this._held = type === 'pointerdown';
  };

  private _keep(): void {
    const { _node: node } = this;
    if (node.clientHeight === 0) {
      // It is not in view, and nothing in it is anywhere; it is told when it is again.
      return;
    }
    this._look();
    if (this._atEnd) {
      node.scrollTop = node.scrollHeight;
    } else if (this._anchor?.message.isConnected) {
      this._keepAnchor(this._anchor);
    }
    this._top = node.scrollTop;
    this._askMore();
  }

  private _keepAnchor({ message, offset }: IAnchor): void {
    const { _node: node } = this;
    const wanted = offset ?? this._middleOf(message);
    const moved = this._offsetOf(message) - wanted;
    if (Math.abs(moved) >= 1) {
      node.scrollTop += moved;
    }
    if (offset === null && !this._isSettling()) {
      this._anchor = { message, offset: this._offsetOf(message) };
    }
  }

  /** Whether the message that is to be in the middle is here now. */
  private _look(): void {
    const { _wanted: wanted } = this;
    const message = wanted?.find();
    if (wanted && message) {
      this._wanted = null;
      this._revealed = performance.now();
      this._setAtEnd(false);
      this._anchor = { message, offset: null };
      this._keepAnchor(this._anchor);
      wanted.onFound(message);
    }
  }

  /** The offset at which a message is in the middle; of a high one the beginning is in view. */
  private _middleOf(message: Element): number {
    const { height } = message.getBoundingClientRect();
    return Math.max(0, (this._node.clientHeight - height) / 2);
  }

  /** The first message that is in view, and where it is. */
  private _findAnchor(): IAnchor | null {
    for (const message of this._list.children) {
      const offset = this._offsetOf(message);
      if (offset + message.getBoundingClientRect().height > 0) {
        return { message, offset };
      }
    }
    return null;
  }

  private _offsetOf(message: Element): number {
    const top = this._node.getBoundingClientRect().top;
    return message.getBoundingClientRect().top - top;
  }

  private _setAtEnd(atEnd: boolean): void {
    if (atEnd !== this._atEnd) {
      this._atEnd = atEnd;
      this._events.onEnd(atEnd);
    }
  }

  private readonly _sizes: ResizeObserver;
  private readonly _children: MutationObserver;
  private _anchor: IAnchor | null = null;
  private _wanted: IWanted | null = null;
  private _revealed = -Infinity;
  private _isPast = false;
  private _atEnd = true;
  private _touched = -Infinity;
  private _held = false;
  private _top = 0;
  private _disposed = false;
}
