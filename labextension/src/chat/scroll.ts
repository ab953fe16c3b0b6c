/**
 * Where a list of messages is scrolled to. At its end it stays there as it grows; anywhere else what is read stays in
 * place, whatever comes above, below or in between.
 */
import { IDisposable } from '@lumino/disposable';

/** Pixels from the end that still are the end. */
const END_PX = 24;
/** Pixels from the top at which older messages are wanted. */
const TOP_PX = 300;

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
    this._keep();
  }

  /** Whether the newest message is in view. */
  get atEnd(): boolean {
    return this._atEnd;
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
  }

  private readonly _onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = this._node;
    const moved = scrollTop - this._top;
    this._top = scrollTop;
    if (moved < -1 && scrollHeight >= this._height) {
      // Only a reader scrolls upwards where nothing has become shorter.
      this._setAtEnd(false);
      this._anchor = this._findAnchor();
    } else if (moved > 1) {
      this._setAtEnd(scrollHeight - clientHeight - scrollTop <= END_PX);
      this._anchor = this._atEnd ? null : this._findAnchor();
    }
    if (scrollTop < TOP_PX) {
      this._events.onTop();
    }
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
    this._height = node.scrollHeight;
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
  private _height = 0;
  private _top = 0;
  private _disposed = false;
}
