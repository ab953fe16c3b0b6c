/**
 * What the buttons of a notification do. Whoever posts one is not trusted: its user decides which commands may run.
 */
import { Action } from '../protocol/generated';

/** What actions need of the page. */
export interface IActionPage {
  openPath(path: string): void;
  openUrl(url: string): void;
  runCommand(id: string): void;
  /** Whether the user allows notifications to run a command. */
  allowsCommand(id: string): boolean;
  /** Say why something is not done. */
  explain(action: Action): void;
}

export interface INotificationActions {
  /** Whether the user lets it run. */
  isAllowed(action: Action): boolean;
  run(action: Action): void;
}

/** The address if it is one of the web; null for what would run here, such as `javascript:`. */
export function webAddress(target: string): string | null {
  try {
    const url = new URL(target);
    return url.protocol === 'https:' || url.protocol === 'http:'
      ? url.href
      : null;
  } catch (error) {
    return null;
  }
}

export class NotificationActions implements INotificationActions {
  constructor(private readonly _page: IActionPage) {}

  isAllowed({ kind, target }: Action): boolean {
    switch (kind) {
      case 'path':
        return true;
      case 'url':
        return webAddress(target) !== null;
      case 'command':
        return this._page.allowsCommand(target);
    }
  }

  run(action: Action): void {
    const { kind, target } = action;
    if (!this.isAllowed(action)) {
      this._page.explain(action);
    } else if (kind === 'path') {
      this._page.openPath(target.replace(/^\/+/, ''));
    } else if (kind === 'url') {
      this._page.openUrl(webAddress(target)!);
    } else {
      this._page.runCommand(target);
    }
  }
}
