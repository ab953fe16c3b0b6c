/**
 * A quiet mark in the tab of a terminal whose connection is away; a cut that lasts a second is not worth one.
 */
import type { ITerminalTracker } from '@jupyterlab/terminal';

import { TerminalSocket } from '../connections/terminal';
import { IConnectionStatus } from '../tokens';
import { findTab, socketOf, TerminalTab } from './screens';

/** The class of the tab. */
export const RECONNECTING = 'jp-WsHub-reconnecting';
const DELAY_MS = 1000;

export class TabMarker {
  /** `caption` is what the tab says while it is marked. */
  constructor(
    private readonly _tracker: ITerminalTracker,
    private readonly _caption: string
  ) {}

  /** A connection's status has changed. */
  update({ service, id, state }: IConnectionStatus): void {
    if (service !== 'terminal' || id === null) {
      return;
    }
    if (state !== 'reconnecting') {
      clearTimeout(this._timers.get(id));
      this._timers.delete(id);
      this._unmark(id);
    } else if (!this._timers.has(id)) {
      this._timers.set(
        id,
        setTimeout(() => this._mark(id), DELAY_MS)
      );
    }
  }

  private _mark(id: string): void {
    const tab = this._tab(id);
    if (tab) {
      const { title } = tab;
      this._marked.set(id, { tab, caption: title.caption });
      title.className = `${title.className} ${RECONNECTING}`.trim();
      title.caption = this._caption;
    }
  }

  private _unmark(id: string): void {
    const marked = this._marked.get(id);
    this._marked.delete(id);
    if (!marked || marked.tab.isDisposed) {
      return;
    }
    const { title } = marked.tab;
    const classes = title.className.split(' ');
    title.className = classes.filter(one => one !== RECONNECTING).join(' ');
    if (title.caption === this._caption) {
      title.caption = marked.caption;
    }
  }

  /** The tab of a connection: of two views of one terminal each has its own. */
  private _tab(id: string): TerminalTab | null {
    const own = this._tracker.find(({ content, isDisposed }) => {
      const socket = isDisposed ? null : socketOf(content);
      return socket instanceof TerminalSocket && socket.id === id;
    });
    return own ?? findTab(this._tracker, null, id);
  }

  private readonly _timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly _marked = new Map<
    string,
    { tab: TerminalTab; caption: string }
  >();
}
