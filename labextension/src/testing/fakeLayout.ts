/**
 * A list of messages with a layout, which jsdom does not have: what scrolls, and within it messages with heights.
 */
export class FakeLayout {
  /** `height` is that of the view; 0 while it is hidden. */
  constructor(public height: number) {
    this.node = document.createElement('div');
    this.list = this.node
      .appendChild(document.createElement('div'))
      .appendChild(document.createElement('div'));
    this.list.className = 'jp-chat-messages-container';
    document.body.append(this.node);
    const { node } = this;
    node.getBoundingClientRect = () =>
      ({ top: 0, height: this.height }) as DOMRect;
    Object.defineProperties(node, {
      clientHeight: { get: () => this.height },
      scrollHeight: { get: () => this._total() },
      scrollTop: {
        get: () => (this._setTop(this._top), this._top),
        set: (top: number) => this._setTop(top)
      }
    });
  }

  readonly node: HTMLElement;
  readonly list: HTMLElement;

  /** Put a message into the list, before another one or at its end. */
  add(name: string, height: number, before: string | null = null): HTMLElement {
    const message = document.createElement('div');
    message.className = 'jp-chat-message';
    message.append(document.createElement('div'));
    (message.firstElementChild as HTMLElement).dataset['id'] = name;
    this._heights.set(message, height);
    message.getBoundingClientRect = () =>
      ({
        top: this._topOf(message),
        height: this._heightOf(message)
      }) as DOMRect;
    const next = before === null ? null : this.find(before);
    this.list.insertBefore(message, next);
    return message;
  }

  /** Its messages, in their order. */
  get names(): string[] {
    return [...this.list.querySelectorAll<HTMLElement>('[data-id]')].map(
      ({ dataset }) => dataset['id'] ?? ''
    );
  }

  find(name: string): HTMLElement {
    return this.node.querySelector<HTMLElement>(`[data-id=${name}]`)!
      .parentElement!;
  }

  /** A message is drawn, and has another height now. */
  resize(name: string, height: number): void {
    this._heights.set(this.find(name), height);
    this._setTop(this._top);
    FakeResizeObserver.tell();
  }

  /** Where a message is: the distance of its top from the view's. */
  place(name: string): number {
    return this._topOf(this.find(name));
  }

  /** How much is below what is in view. */
  get rest(): number {
    return this._total() - this.height - this._top;
  }

  /** A person scrolls. */
  wheel(by: number): void {
    this.node.dispatchEvent(new Event('wheel'));
    this._setTop(this._top + by);
    this.scrolled();
  }

  /** The browser tells that it has scrolled, as it does later. */
  scrolled(): void {
    this.node.dispatchEvent(new Event('scroll'));
  }

  private _setTop(top: number): void {
    const most = Math.max(0, this._total() - this.height);
    this._top = Math.min(Math.max(0, top), most);
  }

  private _heightOf(message: Element): number {
    return this._heights.get(message) ?? 0;
  }

  private _total(): number {
    return [...this.list.children].reduce(
      (sum, message) => sum + this._heightOf(message),
      0
    );
  }

  private _topOf(message: Element): number {
    let top = -this._top;
    for (const other of this.list.children) {
      if (other === message) {
        break;
      }
      top += this._heightOf(other);
    }
    return top;
  }

  private readonly _heights = new Map<Element, number>();
  private _top = 0;
}

/** Tells all who observe sizes when a test says so. */
export class FakeResizeObserver {
  static readonly all = new Set<FakeResizeObserver>();

  static tell(): void {
    FakeResizeObserver.all.forEach(each => each._onResize());
  }

  constructor(private readonly _onResize: () => void) {}

  observe(): void {
    FakeResizeObserver.all.add(this);
  }

  unobserve(): void {
    // Nothing is told of single ones.
  }

  disconnect(): void {
    FakeResizeObserver.all.delete(this);
  }
}
