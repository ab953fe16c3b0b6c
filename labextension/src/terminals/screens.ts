/**
 * JupyterLab's terminal widgets as screens: which of them shows a socket, whether it can be seen, and what its terminal
 * emulator has parsed. The latter stands in a private field: where it is missing, nobody is told.
 */
import type { MainAreaWidget } from '@jupyterlab/apputils';
import type { ITerminal, ITerminalTracker } from '@jupyterlab/terminal';
import { MessageLoop } from '@lumino/messaging';

import { IScreen, ScreenBook } from '../connections/terminalScreen';

/** A tab with a terminal. */
export type TerminalTab = MainAreaWidget<ITerminal.ITerminal>;

/** What is used of xterm.js. */
interface IEmulator {
  /** Calls back when `data` and everything before it is parsed. */
  write(data: string, done: () => void): void;
}

/** The private parts of the widget and of its session; 4.4 to 4.6 have them. */
interface IInside {
  _term?: Partial<IEmulator>;
  ready?: Promise<void>;
}

const SEEN = new Set(['after-attach', 'after-show', 'after-hide']);

/** The tab that shows what comes over a socket, or the only one with the terminal's name. */
export function findTab(
  tracker: ITerminalTracker,
  socket: WebSocket | null,
  name: string
): TerminalTab | null {
  const named = tracker.filter(
    ({ content, isDisposed }) => !isDisposed && content.session.name === name
  );
  const held = named.find(({ content }) => socketOf(content) === socket);
  return held ?? (named.length === 1 ? (named[0] ?? null) : null);
}

/** The socket on which a terminal's widget is. */
export function socketOf(content: ITerminal.ITerminal): unknown {
  return (content.session as unknown as { _ws?: unknown })._ws;
}

/** Let connections find the screens of a tracker. */
export function connectScreens(
  tracker: ITerminalTracker,
  book: ScreenBook
): void {
  book.find = (socket, name) => {
    const tab = findTab(tracker, socket, name);
    return tab && screenOf(tab);
  };
  tracker.widgetAdded.connect((_, tab) => {
    MessageLoop.installMessageHook(tab, (_, message) => {
      if (SEEN.has(message.type)) {
        book.tell();
      }
      return true;
    });
    book.tell();
  });
}

function screenOf(tab: TerminalTab): IScreen {
  const inside = tab.content as unknown as IInside;
  return {
    isVisible: tab.isVisible,
    whenParsed: done => {
      const ask = () => {
        const emulator = inside._term;
        if (tab.isDisposed || typeof emulator?.write !== 'function') {
          setTimeout(done, 0);
        } else {
          emulator.write('', done);
        }
      };
      if (inside._term || !inside.ready) {
        ask();
      } else {
        // Until then the widget keeps what comes.
        inside.ready.then(ask, done);
      }
    }
  };
}
