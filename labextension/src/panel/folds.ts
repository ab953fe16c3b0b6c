/**
 * Which sections of the panel are folded, kept in JupyterLab's state of the workspace.
 */
import { IStateDB } from '@jupyterlab/statedb';

const KEY = 'jupyter-ws-hub:panel';

export class Folds {
  /** Without a state nothing is kept. */
  constructor(private readonly _state: IStateDB | null) {
    this.ready = this._load();
  }

  /** Resolves when it is known which sections are folded, or that it cannot be known. */
  readonly ready: Promise<void>;

  /** Whether `ready` has resolved. */
  get isKnown(): boolean {
    return this._isKnown;
  }

  isFolded(section: string): boolean {
    return this._folded.has(section);
  }

  /** Remember that a section was folded, or opened. */
  set(section: string, isFolded: boolean): void {
    if (isFolded) {
      this._folded.add(section);
    } else {
      this._folded.delete(section);
    }
    this._state
      ?.save(KEY, { folded: [...this._folded].sort() })
      .catch(console.warn);
  }

  private async _load(): Promise<void> {
    try {
      const kept = (await this._state?.fetch(KEY)) as
        { folded?: unknown } | null | undefined;
      if (Array.isArray(kept?.folded)) {
        this._folded = new Set(kept.folded.map(String));
      }
    } catch (error) {
      console.warn('Which sections were folded is not known.', error);
    }
    this._isKnown = true;
  }

  private _folded = new Set<string>();
  private _isKnown = false;
}
