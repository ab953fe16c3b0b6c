/**
 * Terminal tabs as JupyterLab makes them, as far as connections look at them.
 */
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import type { ITerminalTracker } from '@jupyterlab/terminal';

import { TerminalTab } from '../terminals/screens';

/** What a tab's caption is at first. */
export const CAPTION = 'as it was';

/** A tab whose terminal emulator parses when a test says so. */
export class FakeTab extends Widget {
  readonly writes: string[] = [];
  readonly waiting: Array<() => void> = [];
  readonly content: { session: object; _term?: object; ready?: Promise<void> };

  constructor(name: string, socket: unknown = null) {
    super();
    this.title.label = `Terminal ${name}`;
    this.title.caption = CAPTION;
    this.content = {
      session: { name, _ws: socket },
      ready: Promise.resolve(),
      _term: this.emulator
    };
  }

  readonly emulator = {
    write: (data: string, done: () => void) => {
      this.writes.push(data);
      this.waiting.push(done);
    }
  };
}

/** A tracker of such tabs. */
export class FakeTracker {
  readonly widgetAdded = new Signal<this, TerminalTab>(this);
  readonly tabs: FakeTab[] = [];

  add(tab: FakeTab): FakeTab {
    this.tabs.push(tab);
    this.widgetAdded.emit(tab as unknown as TerminalTab);
    return tab;
  }

  filter(holds: (tab: TerminalTab) => boolean): TerminalTab[] {
    return (this.tabs as unknown as TerminalTab[]).filter(holds);
  }

  find(holds: (tab: TerminalTab) => boolean): TerminalTab | undefined {
    return (this.tabs as unknown as TerminalTab[]).find(holds);
  }

  get asTracker(): ITerminalTracker {
    return this as unknown as ITerminalTracker;
  }
}
