/**
 * Where a list of messages is scrolled to. At its end it stays there as it grows; anywhere else what is read stays in
 * place, whatever comes above, below or in between.
 */
import { IDisposable } from '@lumino/disposable';

/** Pixels from the end that still are the end. */
const END_PX = 24;
/** Pixels from the top at which older messages are wanted. */
const TOP_PX = 300;

/** What a person does to scroll, and for how long after it scrolling is theirs. */
const TOUCHES = ['wheel', 'touchmove', 'keydown', 'pointerdown'] as const;
const TOUCHED_MS = 1000;

export interface IScrollEvents {
  /** Older messages are wanted. */
  onTop(): void;
  /** Whether the end is in view has changed. */
  onEnd(atEnd: boolean): void;
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

  /** Go to the newest message, and stay there. */
  toEnd(): void {
    this._setAtEnd(true);
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
    } else if (moved < -1) {
      this._setAtEnd(false);
      this._anchor = this._findAnchor();
    } else if (moved > 1) {
      this._setAtEnd(scrollHeight - clientHeight - scrollTop <= END_PX);
      this._anchor = this._atEnd ? null : this._findAnchor();
    }
    // A list that is being drawn is short at first: only who goes up wants more.
    if (scrollTop < TOP_PX && moved < 0) {
      this._events.onTop();
    }
  };

  /** Whether a person may have scrolled just now. */
  private _isReader(): boolean {
    return this._held || performance.now() - this._touched < TOUCHED_MS;
  }

  private readonly _onTouch = ({ type }: Event): void => {
    this._touched = performance.now();
    this._held = type === 'pointerdown';
  };

  private _keep(): void {
    const { _node: node } = this;
    if (this._atEnd) {
      node.scrollTop = node.scrollHeight;
    } else if (this._anchor?.message.isConnected) {
      const { message, offset } = this._anchor;
      const moved = this._offsetOf(message) - offset;
      if (Math.abs(moved) >= 1) {
        node.scrollTop += moved;
      }
    }
    this._top = node.scrollTop;
  }

  /** The first message that is in view, and where it is. */
  private _findAnchor(): { message: Element; offset: number } | null {
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
  private _anchor: { message: Element; offset: number } | null = null;
  private _atEnd = true;
  private _touched = -Infinity;
  private _held = false;
  private _top = 0;
  private _disposed = false;
}
